import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { asDigest, sha256 } from '#core/digest.ts';
import { renderManifest } from '#core/hats/manifest.ts';
import { partFolders, partLeafPath } from '#core/hats/parts.ts';
import { renderProperties } from '#core/hats/properties.ts';
import type { PartitionRecord } from '#core/hats/verification.ts';
import { ancestor, type Pixel } from '#core/healpix.ts';
import type { ObjectRef } from '#core/job.ts';
import type { VerificationServices } from '#functions/verification.ts';

/** The order at which intake counts. */
const MAP_ORDER = 10;
/** Partitions that touch one. */
const AROUND = 8;
/** Tracts that a partition has objects of, and the ids of one. */
const TRACTS = { each: 3, ids: 10_000_000 } as const;
const RUN_ROWS = 50_000;

export const PREFIX = 'catalogues/survey';
const NAME = 'survey';
const FOLDERS = partFolders(NAME, 10);
const KINDS = ['object', 'margin', 'index', 'posterior'] as const;

/**
 * A lake with the records of a survey: what is written lies in a folder, so that steps are processes of their own, and
 * what a look at a partition would have left is made when it is asked for. Leaves are those of one real partition.
 */
export class SurveyLake {
  readonly #folder: string;
  readonly #pixels: readonly Pixel[];
  readonly #rows: number;
  readonly #sample: PartitionRecord;
  readonly #leaves: (kind: (typeof KINDS)[number]) => string;

  constructor(
    folder: string,
    survey: { readonly order: number; readonly partitions: number; readonly rows: number },
    sample: PartitionRecord,
    leaves: (kind: (typeof KINDS)[number]) => string,
  ) {
    this.#folder = folder;
    this.#pixels = Array.from({ length: survey.partitions }, (_, pixel) => ({ order: survey.order, pixel }));
    this.#rows = survey.rows;
    this.#sample = sample;
    this.#leaves = leaves;
  }

  manifest(): ObjectRef {
    const text = this.#manifestText();
    return { key: `${PREFIX}/files/manifest.json`, sha256: sha256(text), sizeBytes: Buffer.byteLength(text) };
  }

  services(scratch: string): VerificationServices {
    return {
      scratch,
      lake: {
        list: (prefix) => this.#list(prefix),
        getBytes: (key) => this.#bytes(key),
        getFile: (key, path) => this.#file(key, path),
        putBytes: async (key, bytes) => {
          await mkdir(dirname(join(this.#folder, key)), { recursive: true });
          await writeFile(join(this.#folder, key), bytes);
          return { key, sha256: sha256(bytes), sizeBytes: bytes.length };
        },
      },
    };
  }

  #small(): Readonly<Record<string, string>> {
    const of = (properties: Record<string, string>) => renderProperties('x', { obs_collection: NAME, ...properties });
    const both = (folder: string, properties: Record<string, string>) => ({
      [`${folder}/properties`]: of(properties),
      [`${folder}/hats.properties`]: of(properties),
    });
    const primary = { hats_primary_table_url: NAME };
    return {
      'collection.properties': of({
        ...primary,
        all_margins: FOLDERS.margin,
        all_indexes: `objectId ${FOLDERS.index}`,
        all_extensions: 'pz pz.properties',
      }),
      'pz.properties': of({ hats_assn_join_table_url: FOLDERS.posterior }),
      ...both(FOLDERS.object, { dataproduct_type: 'object', hats_skymap_order: String(MAP_ORDER) }),
      ...both(FOLDERS.margin, { ...primary, dataproduct_type: 'margin', hats_margin_threshold: '10' }),
      ...both(FOLDERS.index, { ...primary, dataproduct_type: 'index' }),
      ...both(FOLDERS.posterior, { dataproduct_type: 'object' }),
    };
  }

  #manifestText(): string {
    const leaves = this.#pixels.flatMap((pixel) =>
      KINDS.map((kind) => ({ path: `${FOLDERS[kind]}/${partLeafPath(kind, pixel)}`, ...this.#leafFacts(kind, pixel) })),
    );
    const small = Object.entries(this.#small()).map(([path, text]) => ({
      ...{ path, sha256: sha256(text), sizeBytes: Buffer.byteLength(text) },
    }));
    const rows = this.#pixels.length * this.#rows;
    return renderManifest({ version: 1, collection: NAME, rows, about: {}, files: [...leaves, ...small] });
  }

  #leafFacts(kind: string, { pixel }: Pixel) {
    return { sha256: asDigest(createHash('sha256').update(`${kind}${pixel}`).digest('hex')), sizeBytes: 1_000_000 };
  }

  async *#list(prefix: string) {
    for (const pixel of this.#pixels) {
      for (const kind of KINDS) {
        yield { key: `${prefix}${FOLDERS[kind]}/${partLeafPath(kind, pixel)}`, sizeBytes: 1_000_000 };
      }
    }
    const small = { ...this.#small(), 'manifest.json': this.#manifestText() };
    for (const [path, text] of Object.entries(small)) {
      yield { key: `${prefix}${path}`, sizeBytes: Buffer.byteLength(text) };
    }
  }

  async #bytes(key: string): Promise<Uint8Array | null> {
    const path = key.slice(`${PREFIX}/files/`.length);
    if (path === 'manifest.json') return Buffer.from(this.#manifestText());
    const small = this.#small()[path];
    if (small !== undefined) return Buffer.from(small);
    const looked = /\/partitions\/\d+-(\d+)\.json$/.exec(key)?.[1];
    if (looked !== undefined) return Buffer.from(JSON.stringify(this.#record(Number(looked))));
    if (/\/ids\/\d+\.json$/.test(key)) return Buffer.from('{"version":1,"findings":[]}');
    return readFile(join(this.#folder, key)).catch(() => null);
  }

  async #file(key: string, path: string) {
    const kind = KINDS.toReversed().find((each) => key.startsWith(`${PREFIX}/files/${FOLDERS[each]}/dataset/`));
    if (kind === undefined) await writeFile(path, (await this.#bytes(key)) ?? '');
    else await copyFile(this.#leaves(kind), path);
    const bytes = await readFile(path);
    return { sha256: sha256(bytes), sizeBytes: bytes.length, etag: '' };
  }

  #record(pixel: number): PartitionRecord {
    const order = this.#pixels[pixel]?.order ?? 0;
    const inside = 4 ** (MAP_ORDER - order);
    const count = this.#pixels.length;
    const shared = (from: number) => ({ order, pixel: from % count, rows: 900, sum: String(9e18 + from * 7) });
    const around = Array.from({ length: AROUND }, (_, step) => pixel + step + 1);
    const runs = Math.ceil(this.#rows / RUN_ROWS);
    const files: PartitionRecord['files'] = {};
    for (const kind of KINDS) {
      const { footer } = this.#sample.files[kind] ?? this.#sample.files.object ?? { footer: { defect: 'none' } };
      files[kind] = { ...this.#leafFacts(kind, { order, pixel }), footer };
    }
    return {
      ...this.#sample,
      ...{ order, pixel, files },
      counts: Array.from({ length: inside }, (_, cell) => [pixel * inside + cell, Math.round(this.#rows / inside)]),
      idRuns: Array.from({ length: runs }, (_, run) => {
        const tract = Math.floor(ancestor({ order, pixel }, order - 1).pixel) + (run % TRACTS.each);
        const first = tract * TRACTS.ids + Math.floor(run / TRACTS.each) * 100_000 + pixel;
        return { first: String(first), last: String(first + 90_000), rows: RUN_ROWS };
      }),
      given: around.map(shared),
      held: around.map(shared),
    };
  }
}
