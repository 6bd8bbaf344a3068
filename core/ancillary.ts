import { z } from 'zod';
import type { Digest } from '#core/digest.ts';
import { InputError } from '#core/errors.ts';
import { nameSchema, objectRefSchema } from '#core/job.ts';
import { columnNameSchema } from '#core/profile.ts';
import { type Key, ROW_IS_NEW, scan, type Table } from '#core/table.ts';

/**
 * What a release or an algorithm needs besides the catalogue. `map`: a HEALPix map. `tracts`: where each tract lies.
 * `training`: objects with redshifts. `templates`: spectral energy distributions. `filters`: throughput curves.
 */
export const ANCILLARY_KINDS = ['map', 'tracts', 'training', 'templates', 'filters', 'document', 'other'] as const;
export type AncillaryKind = (typeof ANCILLARY_KINDS)[number];

/** How a Parquet file is a HEALPix map: a row per pixel; pixels may be missing, where the survey does not look. */
export const healpixMapSchema = z.strictObject({
  /** `ebv`: E(B-V), in magnitudes. */
  quantity: z.enum(['ebv']),
  /** log2 of nside. At 13 a pixel is 26 arcsec wide, finer than any map of dust. */
  order: z.int().min(0).max(13),
  scheme: z.enum(['nested', 'ring']),
  /** Whose longitude and latitude the pixels divide. */
  frame: z.enum(['icrs', 'galactic']),
  /** The columns: the pixel's number, an integer, and its value. */
  pixel: columnNameSchema,
  value: columnNameSchema,
});
export type HealpixMap = z.infer<typeof healpixMapSchema>;

const about = {
  name: nameSchema,
  kind: z.enum(ANCILLARY_KINDS),
  title: z.string().min(1),
  /** Where it comes from: a reference, an address, a person. */
  source: z.string().min(1),
  /** An SPDX name, or the words of whoever gave it. */
  licence: z.string().min(1),
  /** Of a `map`, and of it alone. */
  healpix: healpixMapSchema.exactOptional(),
};

/** The file an operator registers an ancillary file with; `file` is a path beside it. */
export const ancillaryDescriptionSchema = z
  .strictObject({ version: z.literal(1), file: z.string().min(1), ...about })
  .refine(({ kind, healpix }) => (kind === 'map') === (healpix !== undefined), {
    error: 'a file of kind map, and no other, says how it is a HEALPix map',
    path: ['healpix'],
  });
export type AncillaryDescription = z.infer<typeof ancillaryDescriptionSchema>;

/** A registered file. It is never changed: another content is another file, and recipes name it by its digest. */
export const ancillaryRowSchema = z.object({
  ...about,
  /** Its name where it came from, which readers may look for. */
  fileName: z.string(),
  object: objectRefSchema,
  registeredAt: z.string(),
  registeredBy: z.string(),
});
export type AncillaryRow = z.infer<typeof ancillaryRowSchema>;

/** What whoever reads it has to know: in the specification of a release. */
export const ancillaryFileSchema = z.strictObject({
  kind: z.enum(ANCILLARY_KINDS),
  object: objectRefSchema,
  healpix: healpixMapSchema.exactOptional(),
});
export type AncillaryFile = z.infer<typeof ancillaryFileSchema>;

export const ANCILLARY = 'F';
export const ANCILLARY_PREFIX = 'F#';
export const ancillaryKey = (sha256: Digest): Key => ({ pk: ANCILLARY, sk: `${ANCILLARY_PREFIX}${sha256}` });

/** In the lake. The ending of the file's own name stays, because some readers go by it. */
export function ancillaryObjectKey(sha256: Digest, fileName: string): string {
  const [ending = ''] = /(\.[A-Za-z0-9]{1,10}){1,2}$/.exec(fileName) ?? [];
  return `ancillary/${sha256}${ending}`;
}

/** The registered file of this content; null when there is none. */
export async function findAncillary(table: Table, sha256: Digest): Promise<AncillaryRow | null> {
  const row = await table.get(ancillaryKey(sha256));
  return row ? ancillaryRowSchema.parse(row) : null;
}

/**
 * The registered file of this content, of one of these kinds.
 * @param wanted who needs it, for the message: `the recipe x`
 * @throws {InputError} `ANCILLARY_UNKNOWN` | `ANCILLARY_KIND`
 */
export async function needAncillary(
  table: Table,
  sha256: Digest,
  kinds: readonly AncillaryKind[],
  wanted: string,
): Promise<AncillaryRow> {
  const row = await findAncillary(table, sha256);
  if (!row) {
    throw new InputError(`${wanted} needs the ancillary file ${sha256}, which is not registered`, {
      code: 'ANCILLARY_UNKNOWN',
      hint: 'Register it first, with `ponte ancillary register <file>`; `ponte ancillary list` shows what there is.',
    });
  }
  if (kinds.includes(row.kind)) return row;
  throw new InputError(`${wanted} needs a file of kind ${kinds.join(' or ')}; ${row.name} is of kind ${row.kind}`, {
    code: 'ANCILLARY_KIND',
    hint: 'Name the digest of another file; `ponte ancillary list` shows them.',
  });
}

export async function* ancillaryFiles(table: Table): AsyncGenerator<AncillaryRow> {
  for await (const row of scan(table, ANCILLARY, ANCILLARY_PREFIX)) yield ancillaryRowSchema.parse(row);
}

export interface AncillaryRegistered {
  readonly outcome: 'registered' | 'unchanged';
  readonly row: AncillaryRow;
}

/**
 * Registers a content once. Again under the same description nothing changes.
 * @throws {InputError} `ANCILLARY_REGISTERED` when it is registered as something else.
 */
export async function recordAncillary(table: Table, row: AncillaryRow): Promise<AncillaryRegistered> {
  const { sha256 } = row.object;
  const item = { ...ancillaryKey(sha256), ...row, object: { ...row.object } };
  if ((await table.write([{ kind: 'put', item, when: [ROW_IS_NEW] }])).written) return { outcome: 'registered', row };
  const before = await needAncillary(table, sha256, ANCILLARY_KINDS, 'this registration');
  const now = ancillaryRowSchema.parse(row);
  const differing = Object.keys(about).filter(
    (field) => JSON.stringify(at(before, field)) !== JSON.stringify(at(now, field)),
  );
  if (differing.length === 0) return { outcome: 'unchanged', row: before };
  throw new InputError(`this content is registered already, as ${before.name}, with another ${differing.join(', ')}`, {
    code: 'ANCILLARY_REGISTERED',
    hint: 'A registered file does not change: recipes rely on what its digest means. Use it as it is.',
  });
}

const at = (row: AncillaryRow, field: string): unknown => Object.entries(row).find(([name]) => name === field)?.[1];
/** What a recipe or a profile needs of a registered file. */
export function ancillaryFile({ kind, object, healpix }: AncillaryRow): AncillaryFile {
  return { kind, object, ...(healpix ? { healpix } : {}) };
}

/** The reference to a file by its digest, among those of a release. */
export function referredTo(files: readonly AncillaryFile[] | undefined, sha256: Digest): AncillaryFile | null {
  return files?.find(({ object }) => object.sha256 === sha256) ?? null;
}
