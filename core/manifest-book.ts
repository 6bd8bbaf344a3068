import { awaitsDigest, type ChunkRow, chunkId, chunkKey, chunkRowSchema, pointerKey } from '#core/chunk.ts';
import { readExpected, readPointer, readRelease } from '#core/chunk-book.ts';
import type { Digest } from '#core/digest.ts';
import { TransientError } from '#core/errors.ts';
import { judgeAgainstManifest } from '#core/integrity.ts';
import { mayMove } from '#core/life-cycle.ts';
import { expectedKey, type Manifest, manifestSchema, type ReleaseRow, releaseKey } from '#core/release.ts';
import { equals, ROW_IS_NEW, type Table, type Write } from '#core/table.ts';

export type ManifestVerdict =
  | { readonly kind: 'ingested'; readonly chunks: number }
  | { readonly kind: 'refused'; readonly reason: string };

export interface ManifestListener {
  readonly onRefused: (chunk: ChunkRow) => Promise<void>;
  readonly onVerified: (chunk: ChunkRow) => Promise<void>;
}

/** How often a line may meet a chunk that is being settled at the same moment. */
const LINE_ATTEMPTS = 8;

/**
 * Takes a publisher's manifest: one row per chunk, then the release's head. Chunks may have come before it; they are
 * compared with their line now, and `onRefused` hears of each that is not the published one, at least once. `onVerified`
 * hears likewise of each that was refused because its digest was not known: it is to be looked at again. Interrupted, it
 * can be run again from the start.
 */
export async function ingestManifest(
  table: Table,
  release: string,
  bytes: Uint8Array,
  sha256: Digest,
  { onRefused, onVerified }: ManifestListener,
): Promise<ManifestVerdict> {
  const head = await readRelease(table, release);
  if (head.manifestState === 'complete') {
    if (head.manifestSha256 === sha256) return { kind: 'ingested', chunks: head.expectedChunks };
    return refuse(
      table,
      release,
      `the release ${release} already has another manifest; publish the new one under a new release name`,
    );
  }
  const parsed = parseManifest(bytes, release, head.spec.profile.name);
  if (typeof parsed === 'string') return refuse(table, release, parsed);
  if (!(await begin(table, head, sha256))) {
    return refuse(table, release, `another manifest of ${release} is being taken; one release has one manifest`);
  }
  for (const line of parsed.chunks) {
    await ingestLine(table, release, line, onRefused);
    const row = await table.get(chunkKey(release, chunkId(release, line.name, line.sha256)));
    const published = row ? chunkRowSchema.parse(row) : null;
    if (published && awaitsDigest(published)) await onVerified(published);
  }
  await table.write([
    {
      kind: 'update',
      key: releaseKey(release),
      set: {
        manifestState: 'complete',
        expectedChunks: parsed.chunks.length,
        expectedRows: parsed.keyNumbers.rows,
      },
    },
  ]);
  return { kind: 'ingested', chunks: parsed.chunks.length };
}

/** The first manifest that is taken stays the release's: two of them would mix their lines. */
async function begin(table: Table, head: ReleaseRow, sha256: Digest): Promise<boolean> {
  const untouched = head.manifestState === 'absent';
  const outcome = await table.write([
    {
      kind: 'update',
      key: releaseKey(head.release),
      set: { manifestState: 'ingesting', manifestSha256: sha256 },
      remove: ['manifestProblem'],
      when: untouched
        ? [equals('manifestState', 'absent')]
        : [equals('manifestState', 'ingesting'), equals('manifestSha256', sha256)],
    },
  ]);
  return outcome.written;
}

async function refuse(table: Table, release: string, reason: string): Promise<ManifestVerdict> {
  await table.write([{ kind: 'update', key: releaseKey(release), set: { manifestProblem: reason } }]);
  return { kind: 'refused', reason };
}

/** The manifest, or one sentence on what is wrong with it. */
function parseManifest(bytes: Uint8Array, release: string, profile: string): Manifest | string {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    return `the manifest is not JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
  const parsed = manifestSchema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return `the manifest's ${issue?.path.join('.') || 'content'} is wrong: ${issue?.message ?? 'unknown'}`;
  }
  const manifest = parsed.data;
  if (manifest.release !== release) return `the manifest is of the release ${manifest.release}, not of ${release}`;
  if (manifest.profile !== profile)
    return `the manifest names the profile ${manifest.profile}; ${release} is registered with ${profile}`;
  const names = new Set(manifest.chunks.map((chunk) => chunk.name));
  if (names.size < manifest.chunks.length) return 'the manifest lists a chunk name twice';
  const rows = manifest.chunks.reduce((sum, chunk) => sum + chunk.rows, 0);
  if (rows !== manifest.keyNumbers.rows) {
    return `the manifest's chunks have ${rows} rows together, but its key numbers say ${manifest.keyNumbers.rows}`;
  }
  return manifest;
}

type Line = Manifest['chunks'][number];

async function ingestLine(
  table: Table,
  release: string,
  line: Line,
  onRefused: (chunk: ChunkRow) => Promise<void>,
): Promise<void> {
  for (let attempt = 0; attempt < LINE_ATTEMPTS; attempt += 1) {
    const { writes, refused } = await lineWrites(table, release, line);
    const outcome = await table.write(writes);
    if (outcome.written) return refused ? onRefused(refused) : undefined;
    // Position 0 is the line itself: it is there already, from a run that was interrupted, maybe before its report.
    if (outcome.refused.includes(0)) return reportRefusal(table, release, line, onRefused);
  }
  throw new TransientError(`could not take the manifest's line ${line.name}: its chunk kept changing`, {
    code: 'SETTLE_CONTENDED',
    hint: 'The state machine tries again; lines already taken are kept.',
  });
}

async function reportRefusal(
  table: Table,
  release: string,
  line: Line,
  onRefused: (chunk: ChunkRow) => Promise<void>,
): Promise<void> {
  const taken = await readExpected(table, release, line.name);
  if (taken?.outcome !== 'quarantined' || !taken.chunkId) return;
  const chunk = chunkRowSchema.parse(await table.get(chunkKey(release, taken.chunkId)));
  if (chunk.state === 'quarantined') await onRefused(chunk);
}

interface LineWrites {
  readonly writes: [Write, ...Write[]];
  /** The chunk that this line refuses, as it will be. */
  readonly refused: ChunkRow | null;
}

/** The line's row; where its chunk was settled before, also the comparison with it, in one transaction. */
async function lineWrites(table: Table, release: string, line: Line): Promise<LineWrites> {
  const row = { ...expectedKey(release, line.name), ...line };
  const pointer = await readPointer(table, release, line.name);
  if (!pointer) {
    const stillNone: Write = { kind: 'check', key: pointerKey(release, line.name), when: [ROW_IS_NEW] };
    return { writes: [{ kind: 'put', item: row, when: [ROW_IS_NEW] }, stillNone], refused: null };
  }
  const chunk = chunkRowSchema.parse(await table.get(chunkKey(release, pointer.chunkId)));
  if (awaitsDigest(chunk) && chunk.sha256 === line.sha256) {
    // Not settled by this: it is looked at again, with the digest.
    const same: Write = {
      kind: 'check',
      key: pointerKey(release, line.name),
      when: [equals('revision', pointer.revision)],
    };
    return { writes: [{ kind: 'put', item: row, when: [ROW_IS_NEW] }, same], refused: null };
  }
  const seen = { sha256: chunk.sha256, rows: chunk.rows ?? 0 };
  const findings = pointer.outcome === 'skinny' ? [...judgeAgainstManifest(seen, line)] : [];
  const outcome = findings.length > 0 ? 'quarantined' : pointer.outcome;
  const writes: [Write, ...Write[]] = [
    { kind: 'put', item: { ...row, outcome, chunkId: chunk.chunkId }, when: [ROW_IS_NEW] },
    {
      kind: 'update',
      key: pointerKey(release, line.name),
      set: { outcome },
      add: { revision: 1 },
      when: [equals('revision', pointer.revision)],
    },
    { kind: 'update', key: releaseKey(release), add: { settledChunks: 1 } },
  ];
  if (findings.length === 0) return { writes, refused: null };
  writes.push({
    kind: 'update',
    key: chunkKey(release, chunk.chunkId),
    set: { state: 'quarantined', findings: findings.map((finding) => ({ ...finding })) },
    when: [mayMove('refuse', 'quarantined')],
  });
  return { writes, refused: { ...chunk, state: 'quarantined', findings } };
}
