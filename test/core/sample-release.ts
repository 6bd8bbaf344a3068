import { sha256 } from '#core/digest.ts';
import { type Profile, profileSchema } from '#core/profile.ts';
import type { Recipe } from '#core/recipe.ts';
import { type ReleaseSpec, releaseKey, releaseSpecDigest } from '#core/release.ts';
import { ROW_IS_NEW, type Table } from '#core/table.ts';

const bands = (value: (band: string) => string, error: (band: string) => string) =>
  Object.fromEntries(['u', 'g', 'r', 'i', 'z', 'y'].map((band) => [band, { value: value(band), error: error(band) }]));

export const magnitudeProfile: Profile = profileSchema.parse({
  name: 'sample',
  version: 1,
  description: 'Magnitudes, with sentinels',
  id: 'id',
  ra: 'ra',
  dec: 'dec',
  kind: 'magnitude',
  bands: bands(
    (band) => `m_${band}`,
    (band) => `e_${band}`,
  ),
  missing: [99, -99],
  deliveredCoordinates: { ra: 'coord_ra', dec: 'coord_dec' },
});

export const fluxProfile: Profile = profileSchema.parse({
  ...magnitudeProfile,
  name: 'sample-flux',
  kind: 'flux',
  missing: [-99],
});

export const recipe: Recipe = { name: 'skinny', version: 1, description: 'Test', decimals: 4, maxRowsPerPart: 130_000 };

export const sampleSpec: ReleaseSpec = {
  release: 'dp0',
  title: 'A sample',
  profile: magnitudeProfile,
  recipe,
  trainingSet: { key: 'training/x.parquet', sha256: sha256('training'), sizeBytes: 1 },
  campaign: {
    name: 'photoz',
    algorithms: ['bpz', 'knn'],
    heldOut: { fraction: 0.2, seed: 1 },
    partsPerBatch: 10,
    partition: { thresholdRows: 1000, highestOrder: 7 },
    caps: { microUsd: 1_000_000, coreSeconds: 100_000 },
  },
  algorithms: {
    bpz: { configurationDigest: sha256('bpz'), secondsPerThousandRows: 2, informSeconds: 10 },
    knn: { configurationDigest: sha256('knn'), secondsPerThousandRows: 1, informSeconds: 5 },
  },
  environmentDigest: sha256('environment'),
};

/** Registers the sample release, as `ponte release register` does. */
export async function registerSample(table: Table, spec = sampleSpec): Promise<void> {
  await table.write([
    {
      kind: 'put',
      item: {
        ...releaseKey(spec.release),
        release: spec.release,
        spec,
        specDigest: releaseSpecDigest(spec),
        registeredAt: '2026-01-01T00:00:00.000Z',
        registeredBy: 'test',
        manifestState: 'absent',
        manifestSha256: null,
        expectedChunks: 0,
        expectedRows: 0,
        settledChunks: 0,
      },
      when: [ROW_IS_NEW],
    },
  ]);
}
