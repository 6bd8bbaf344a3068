import { inspectChunk } from '#adapters/chunk-inspector.ts';
import { type ChunkSource, openChunk, type ReferenceFiles } from '#adapters/chunk-source.ts';
import { type Database, readingFailure } from '#adapters/duckdb.ts';
import { readUnits } from '#adapters/unit-reader.ts';
import { readValues } from '#adapters/value-reader.ts';
import type { Digest } from '#core/digest.ts';
import { type ChunkExpectation, type Finding, judgeChunk, judgeOrigin, refuses, unreadable } from '#core/integrity.ts';
import { type Profile, profileOfFile } from '#core/profile.ts';
import { judgeUnits } from '#core/units.ts';
import { judgeValues } from '#core/value-judgement.ts';
import type { ValueStatistics } from '#core/value-statistics.ts';

export type Examination =
  | { readonly kind: 'refused'; readonly findings: readonly Finding[] }
  | {
      readonly kind: 'accepted';
      /** What is to be known of it all the same. */
      readonly findings: readonly Finding[];
      readonly values: ValueStatistics;
      /** What to derive from, with the profile of this file: without the optional bands that it lacks. */
      readonly source: ChunkSource;
    };

/**
 * Every check of a chunk that lies on the local disk, from its digest to its values. A bad file is an outcome; the only
 * errors are the engine's own, for instance a full disk.
 * @param waived checks that a person waived for this content.
 * @param files the registered files that the release's profile and recipe name.
 */
export async function examineChunk(
  database: Database,
  file: { readonly path: string; readonly sha256: Digest; readonly sizeBytes: number },
  expected: ChunkExpectation,
  profile: Profile,
  waived: readonly string[],
  files: ReferenceFiles = {},
): Promise<Examination> {
  const inspection = await inspectChunk(database, file.path, profile);
  const facts = {
    sha256: file.sha256,
    sizeBytes: file.sizeBytes,
    table: inspection.kind === 'table' ? inspection.table : null,
    reason: inspection.kind === 'table' ? null : inspection.reason,
  };
  const integrity = judgeChunk(facts, expected, profile);
  if (integrity.length > 0 || !facts.table) return { kind: 'refused', findings: integrity };
  const ofFile = profileOfFile(profile, facts.table.columns);
  const source = await openedOr(() => openChunk(database, file.path, ofFile, files));
  if (typeof source === 'string') return { kind: 'refused', findings: [unreadable(source)] };
  const values = await readValues(database, file.path, source.profile, {
    source: source.relation,
    bounds: files.tracts?.path ?? null,
  });
  if (values.kind === 'unreadable') return { kind: 'refused', findings: [unreadable(values.reason)] };
  const units = await readUnits(database, file.path);
  const judged = [
    ...judgeOrigin(expected, profile, waived),
    ...judgeUnits(units, source.profile, waived),
    ...judgeValues(values.statistics, source.profile, waived),
  ];
  const findings = judged.filter(({ severity }) => severity !== 'note');
  if (findings.some(refuses)) return { kind: 'refused', findings };
  return { kind: 'accepted', findings, values: values.statistics, source };
}

/** Or why the file cannot be read. */
async function openedOr(open: () => Promise<ChunkSource>): Promise<ChunkSource | string> {
  try {
    return await open();
  } catch (error) {
    return readingFailure(error);
  }
}
