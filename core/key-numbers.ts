import { z } from 'zod';
import { nameSchema } from '#core/job.ts';
import { BANDS } from '#core/profile.ts';
import { releasePartition } from '#core/release.ts';
import type { ReleaseSummary } from '#core/report/release-summary.ts';
import type { Key, Table } from '#core/table.ts';

const count = z.int().nonnegative().exactOptional();

/** What a survey publishes about its release, in a file of the operator's; every number may be left out. */
export const keyNumbersSchema = z.strictObject({
  version: z.literal(1),
  release: nameSchema,
  /** The paper or page that the numbers are from. */
  source: z.string().min(1),
  rows: count,
  /** Rows that are primary. */
  primary: count,
  /** Tracts, tiles or fields with at least a row. */
  tracts: count,
  /** Share of extended objects among those with a separator, 0 to 1. */
  extendedFraction: z.number().min(0).max(1).exactOptional(),
  /** AB magnitudes at 5 sigma, by band: the mean of the objects near it. */
  depth: z.partialRecord(z.enum(BANDS), z.number()).exactOptional(),
  /** Up to which difference a number agrees. */
  tolerance: z
    .strictObject({
      /** Of counts, as a share of the published one. */
      counts: z.number().min(0).max(1).default(0),
      fraction: z.number().min(0).max(1).default(0.05),
      /** mag */
      depth: z.number().min(0).default(0.2),
    })
    .default({ counts: 0, fraction: 0.05, depth: 0.2 }),
});
export type KeyNumbers = z.infer<typeof keyNumbersSchema>;

export const keyNumbersRowSchema = z.object({
  numbers: keyNumbersSchema,
  registeredAt: z.string(),
  registeredBy: z.string(),
});
export type KeyNumbersRow = z.infer<typeof keyNumbersRowSchema>;
export const keyNumbersKey = (release: string): Key => ({ pk: releasePartition(release), sk: 'N' });

export async function readKeyNumbers(table: Table, release: string): Promise<KeyNumbersRow | null> {
  const row = await table.get(keyNumbersKey(release));
  return row ? keyNumbersRowSchema.parse(row) : null;
}

export interface KeyNumber {
  readonly name: string;
  readonly published: number;
  /** Null where the release does not say. */
  readonly found: number | null;
  readonly agrees: boolean;
  /** Decimals to show. */
  readonly decimals: number;
}

/** The release as far as it has come against what the publisher says of it. */
export function compareKeyNumbers(published: KeyNumbers, summary: ReleaseSummary): readonly KeyNumber[] {
  const { tolerance } = published;
  const compared = (name: string, wanted: number | undefined, found: number | null, most: number, decimals: number) => {
    if (wanted === undefined) return [];
    // A little more, so that a difference of exactly the tolerance agrees.
    const agrees = found !== null && Math.abs(found - wanted) <= most + 1e-9;
    return [{ name, published: wanted, found, agrees, decimals }];
  };
  const counted = (name: string, wanted: number | undefined, found: number | null) =>
    compared(name, wanted, found, (wanted ?? 0) * tolerance.counts, 0);
  const { extended, separated, tracts } = summary;
  const fraction = extended !== null && separated ? extended / separated : null;
  return [
    ...counted('rows', published.rows, summary.rows),
    ...counted('primary rows', published.primary, summary.primary),
    ...counted('tracts', published.tracts, tracts === null ? null : Object.keys(tracts).length),
    ...compared('extended fraction', published.extendedFraction, fraction, tolerance.fraction, 3),
    ...BANDS.flatMap((band) =>
      compared(`depth in ${band}`, published.depth?.[band], meanDepth(summary, band), tolerance.depth, 2),
    ),
  ];
}

/** Mean magnitude at 5 sigma over a release; null where no object is near it. */
export function meanDepth({ bands }: Pick<ReleaseSummary, 'bands'>, band: (typeof BANDS)[number]): number | null {
  const merged = bands[band];
  return merged && merged.depthObjects > 0 ? merged.depthSum / merged.depthObjects : null;
}
