import { z } from 'zod';
import { digestSchema } from '#core/job.ts';

/** A path below the collection's folder: no empty, `.` or `..` step, so that a reader stays inside. */
export const manifestPathSchema = z
  .string()
  .regex(/^(?!\.{1,2}(\/|$))[A-Za-z0-9_=.-]+(\/(?!\.{1,2}(\/|$))[A-Za-z0-9_=.-]+)*$/, 'must be a plain relative path');

const manifestFileSchema = z.strictObject({
  path: manifestPathSchema,
  sha256: digestSchema,
  sizeBytes: z.int().nonnegative(),
});
export type ManifestFile = z.infer<typeof manifestFileSchema>;

/** `manifest.json`: every other file of the collection, by path, with its digest. */
export const manifestSchema = z.strictObject({
  version: z.literal(1),
  collection: z.string().min(1),
  /** Rows of the primary catalogue. */
  rows: z.int().nonnegative(),
  /** Where the table comes from, for people: release, campaign, plan, notes. */
  about: z.record(z.string(), z.string()),
  files: z.array(manifestFileSchema),
});
export type Manifest = z.infer<typeof manifestSchema>;

/** One line per file, in code unit order of the paths: equal content gives equal bytes, and `diff` is readable. */
export function renderManifest(manifest: Manifest): string {
  const { files, ...head } = manifest;
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const lines = sorted.map((file) => `    ${JSON.stringify(file)}`);
  const opening = JSON.stringify({ ...head }, null, 2).slice(0, -2);
  return `${opening},\n  "files": [\n${lines.join(',\n')}\n  ]\n}\n`;
}
