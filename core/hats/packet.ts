import { z } from 'zod';
import { type Digest, sha256 } from '#core/digest.ts';
import type { ManifestFile } from '#core/hats/manifest.ts';
import { packetConfigurationSchema } from '#core/hats/packet-configuration.ts';
import { TEXTS_VERSION } from '#core/hats/texts.ts';
import { digestSchema, heldOutSchema } from '#core/job.ts';
import { publicationSchema } from '#core/publication.ts';

/** One catalogue of the collection, as its receiver counts it. */
const contentSchema = z.strictObject({
  folder: z.string(),
  files: z.int().nonnegative(),
  sizeBytes: z.int().nonnegative(),
  /** Of the lines `{sha256}  {path}`, in code unit order of the paths: what `sha256sum` prints for these files. */
  sha256: digestSchema,
});
type Content = z.infer<typeof contentSchema>;

const packetAlgorithmSchema = z.strictObject({
  name: z.string(),
  configurationDigest: digestSchema.nullable(),
  modelSha256: digestSchema.nullable(),
  /** What that digest stands for; null where the code that wrote the packet has another configuration of the name. */
  configuration: packetConfigurationSchema.nullable(),
  /** On objects held out of training; null where it could not be computed or the campaign had no report. */
  metrics: z.record(z.string(), z.number().nullable()).nullable(),
});

/**
 * `packet.json`: the facts that the documents of a delivery are made from, and made again from by whoever verifies.
 * Rubin's guidelines (RTN-105) say which documents.
 */
export const packetSchema = z.strictObject({
  version: z.literal(2),
  textsVersion: z.literal(TEXTS_VERSION),
  collection: z.string(),
  title: z.string(),
  release: z.string(),
  campaign: z.string(),
  createdAt: z.string(),
  /** The delivery of the same collection that was public before this one was made. */
  previous: z.string().nullable(),
  rows: z.int().nonnegative(),
  partitions: z.int().nonnegative(),
  chunks: z.strictObject({ used: z.int().nonnegative(), quarantined: z.int().nonnegative() }),
  profile: z.string(),
  recipe: z.string(),
  training: z.strictObject({
    sha256: digestSchema,
    cut: z.string().nullable(),
    source: z.string().nullable(),
    licence: z.string().nullable(),
    heldOut: heldOutSchema,
  }),
  environmentDigest: digestSchema,
  algorithms: z.array(packetAlgorithmSchema),
  /** When the coordinator approved, and what was read; who it was is in the campaign's own record. */
  approval: z.strictObject({ at: z.string(), reportSha256: digestSchema }).nullable(),
  publication: publicationSchema.nullable(),
  contents: z.array(contentSchema),
});
export type Packet = z.infer<typeof packetSchema>;

/** What the packet of any version says: enough to compare it with the collection. The first had no version of texts. */
export const anyPacketSchema = z.object({
  textsVersion: z.int().positive().default(1),
  collection: z.string(),
  rows: z.int(),
  partitions: z.int(),
  algorithms: z.array(z.object({ name: z.string() })),
  approval: z.object({ reportSha256: digestSchema }).nullable(),
  contents: z.array(contentSchema),
});
export type AnyPacket = z.infer<typeof anyPacketSchema>;

/** Counts the catalogues of a collection, which are its folders, in code unit order. */
export function contentsOf(files: readonly ManifestFile[]): readonly Content[] {
  const folders = new Set(files.flatMap(({ path }) => (path.includes('/') ? [path.slice(0, path.indexOf('/'))] : [])));
  return [...folders].sort().map((folder) => {
    const inside = files.filter(({ path }) => path.startsWith(`${folder}/`));
    const sizeBytes = inside.reduce((sum, file) => sum + file.sizeBytes, 0);
    return { folder, files: inside.length, sizeBytes, sha256: digestOfLines(inside) };
  });
}

function digestOfLines(files: readonly ManifestFile[]): Digest {
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  return sha256(sorted.map((file) => `${file.sha256}  ${file.path}\n`).join(''));
}

/** In the order of the schema, whoever put the facts together: a reader parses and renders them again. */
export const renderPacket = (packet: Packet): string => `${JSON.stringify(packetSchema.parse(packet), null, 2)}\n`;
