import {
  type ChunkRow,
  chunkId,
  chunkKey,
  chunkRowSchema,
  type PartRow,
  type PointerRow,
  partKey,
  pointerKey,
  pointerRowSchema,
} from '#core/chunk.ts';
import type { Digest } from '#core/digest.ts';
import { InputError, TransientError } from '#core/errors.ts';
import { type Finding, judgeAgainstManifest } from '#core/integrity.ts';
import { type ChunkEvent, CLAIM, mayMove, nextState, SETTLED_STATES } from '#core/life-cycle.ts';
import {
  type ExpectedChunk,
  expectedChunkSchema,
  expectedKey,
  type ReleaseRow,
  releaseKey,
  releaseRowSchema,
} from '#core/release.ts';
import { equals, ROW_EXISTS, ROW_IS_NEW, type Table, type Write } from '#core/table.ts';

/** A claim whose execution has been silent for longer may be taken over: 15 min of Lambda, three attempts, and slack. */
const CLAIM_EXPIRES_AFTER_MS = 60 * 60 * 1000;

/** How often two that settle the same name at once may get in each other's way before the state machine retries. */
const SETTLE_ATTEMPTS = 8;

export interface ClaimRequest {
  readonly release: string;
  readonly name: string;
  readonly sha256: Digest;
  readonly sizeBytes: number;
  readonly etag: string;
  readonly execution: string;
  readonly now: Date;
}

export type Claim =
  | { readonly kind: 'claimed'; readonly chunk: ChunkRow }
  /** The same content was settled before: there is nothing to do. */
  | { readonly kind: 'settled'; readonly chunk: ChunkRow }
  /** Another execution is at work on the same content. */
  | { readonly kind: 'held'; readonly by: string };

export async function readRelease(table: Table, release: string): Promise<ReleaseRow> {
  const row = await table.get(releaseKey(release));
  if (!row) {
    throw new InputError(`the release ${release} is not registered`, {
      code: 'RELEASE_UNKNOWN',
      hint: `Register it first: ponte release register <file>. Objects under releases/${release}/ wait until then.`,
    });
  }
  return releaseRowSchema.parse(row);
}

/**
 * Claims a chunk by its content, with one conditional write.
 *
 *     A: put if new ── ok ─────────────────────────> works
 *     B:      put if new ── refused ── reads A's row ─> held (A works), settled (A is done), or its own (a retry)
 */
export async function claimChunk(table: Table, request: ClaimRequest): Promise<Claim> {
  const id = chunkId(request.release, request.name, request.sha256);
  const key = chunkKey(request.release, id);
  const fresh: ChunkRow = {
    chunkId: id,
    release: request.release,
    name: request.name,
    sha256: request.sha256,
    sizeBytes: request.sizeBytes,
    etag: request.etag,
    state: 'checking',
    execution: request.execution,
    claimedAt: request.now.toISOString(),
    settledAt: null,
    rows: null,
    parts: null,
    recipeDigest: null,
    findings: [],
    revivals: 0,
    seconds: null,
  };
  if ((await table.write([{ kind: 'put', item: { ...key, ...fresh }, when: [CLAIM] }])).written) {
    return { kind: 'claimed', chunk: fresh };
  }
  const chunk = chunkRowSchema.parse(await table.get(key));
  if (chunk.execution === request.execution && !SETTLED_STATES.includes(chunk.state)) {
    const again = await moveChunk(table, chunk, 'check');
    return again ? { kind: 'claimed', chunk: again } : { kind: 'held', by: 'an execution that was faster' };
  }
  if (SETTLED_STATES.includes(chunk.state)) return { kind: 'settled', chunk };
  const expired = request.now.getTime() - Date.parse(chunk.claimedAt) > CLAIM_EXPIRES_AFTER_MS;
  if (chunk.state !== 'superseded' && chunk.state !== 'received' && !expired) {
    return { kind: 'held', by: chunk.execution };
  }
  // A content that comes back after another one, a retry, or the claim of an execution that died: take it over,
  // provided that nobody else did since we read the row.
  const revived: ChunkRow = {
    ...fresh,
    revivals: chunk.revivals + (chunk.state === 'superseded' ? 1 : 0),
  };
  const takeOver = await table.write([
    {
      kind: 'put',
      item: { ...key, ...revived },
      when: [equals('execution', chunk.execution), equals('state', chunk.state)],
    },
  ]);
  return takeOver.written ? { kind: 'claimed', chunk: revived } : { kind: 'held', by: 'an execution that was faster' };
}

/** Moves a claimed chunk along the life cycle; null when it is no longer ours or no longer where we thought. */
export async function moveChunk(table: Table, chunk: ChunkRow, event: ChunkEvent): Promise<ChunkRow | null> {
  const state = nextState(chunk.state, event);
  if (!state) return null;
  const outcome = await table.write([
    {
      kind: 'update',
      key: chunkKey(chunk.release, chunk.chunkId),
      set: { state },
      when: [equals('execution', chunk.execution), mayMove(event, state)],
    },
  ]);
  return outcome.written ? { ...chunk, state } : null;
}

export type Settlement =
  | {
      readonly outcome: 'skinny';
      readonly rows: number;
      readonly recipeDigest: Digest;
      readonly parts: readonly PartRow[];
    }
  | { readonly outcome: 'quarantined'; readonly findings: readonly Finding[] };

export interface SettleRequest {
  readonly chunk: ChunkRow;
  readonly settlement: Settlement;
  readonly seconds: number;
  readonly now: Date;
  /** The etag of what is under the key now; null when the object was removed. Read after `pointerRevision`. */
  readonly currentEtag: () => Promise<string | null>;
}

export type Settled = 'recorded' | 'superseded' | 'alreadySettled';

/**
 * Records what became of a chunk, exactly once, and makes it the current one under its name, unless a newer content
 * lies there by now.
 *
 *     A: read pointer r1 ── look at the key: A ────────────── write if r1 ── refused, looks again: superseded
 *     B:      read pointer r1 ── look at the key: B ── write if r1: r2
 *
 * @throws {TransientError} `SETTLE_CONTENDED` when others kept getting in the way.
 */
export async function settleChunk(table: Table, request: SettleRequest): Promise<Settled> {
  const { chunk } = request;
  if (request.settlement.outcome === 'skinny') await writeParts(table, chunk, request.settlement.parts);
  for (let attempt = 0; attempt < SETTLE_ATTEMPTS; attempt += 1) {
    const pointer = await readPointer(table, chunk.release, chunk.name);
    const expected = await readExpected(table, chunk.release, chunk.name);
    const currentEtag = await request.currentEtag();
    const row = chunkRowSchema.parse(await table.get(chunkKey(chunk.release, chunk.chunkId)));
    if (SETTLED_STATES.includes(row.state) || row.state === 'superseded') return 'alreadySettled';
    const stale = currentEtag !== null && currentEtag !== chunk.etag;
    const judged = { ...request, settlement: judgeAgain(chunk, request.settlement, expected) };
    const writes = stale ? supersededWrites(request) : settlementWrites(judged, pointer, expected);
    if ((await table.write(writes)).written) return stale ? 'superseded' : 'recorded';
  }
  throw new TransientError(`could not settle ${chunk.name} of ${chunk.release}: others kept changing it`, {
    code: 'SETTLE_CONTENDED',
    hint: 'The state machine tries again; nothing was written.',
  });
}

/** The manifest may have come while the chunk was being derived: its line has the last word. */
function judgeAgain(chunk: ChunkRow, settlement: Settlement, expected: ExpectedChunk | null): Settlement {
  if (settlement.outcome === 'quarantined' || !expected) return settlement;
  const findings = judgeAgainstManifest({ sha256: chunk.sha256, rows: settlement.rows }, expected);
  return findings.length > 0 ? { outcome: 'quarantined', findings } : settlement;
}

async function writeParts(table: Table, chunk: ChunkRow, parts: readonly PartRow[]): Promise<void> {
  for (const part of parts) {
    await table.write([{ kind: 'put', item: { ...partKey(chunk.release, chunk.chunkId, part.index), ...part } }]);
  }
}

function supersededWrites({ chunk, now }: SettleRequest): [Write] {
  return [
    {
      kind: 'update',
      key: chunkKey(chunk.release, chunk.chunkId),
      set: { state: 'superseded', settledAt: now.toISOString() },
      when: [mayMove('supersede', 'superseded')],
    },
  ];
}

function settlementWrites(
  { chunk, settlement, seconds, now }: SettleRequest,
  pointer: PointerRow | null,
  expected: ExpectedChunk | null,
): [Write, ...Write[]] {
  const { outcome } = settlement;
  const facts =
    outcome === 'skinny'
      ? { rows: settlement.rows, parts: settlement.parts.length, recipeDigest: settlement.recipeDigest }
      : { findings: settlement.findings.map((finding) => ({ ...finding })) };
  const writes: [Write, ...Write[]] = [
    {
      kind: 'update',
      key: chunkKey(chunk.release, chunk.chunkId),
      set: { state: outcome, settledAt: now.toISOString(), seconds, ...facts },
      when: [equals('execution', chunk.execution), mayMove(outcome === 'skinny' ? 'complete' : 'refuse', outcome)],
    },
  ];
  // A bad file does not take the place of a good one that came before it under the same name.
  if (outcome === 'quarantined' && pointer?.outcome === 'skinny') return writes;
  writes.push({
    kind: 'put',
    item: {
      ...pointerKey(chunk.release, chunk.name),
      name: chunk.name,
      chunkId: chunk.chunkId,
      outcome,
      revision: (pointer?.revision ?? 0) + 1,
    },
    when: [pointer ? equals('revision', pointer.revision) : ROW_IS_NEW],
  });
  if (pointer && pointer.chunkId !== chunk.chunkId) {
    writes.push({
      kind: 'update',
      key: chunkKey(chunk.release, pointer.chunkId),
      set: { state: 'superseded' },
      when: [mayMove('supersede', 'superseded')],
    });
  }
  return [...writes, ...expectationWrites(chunk, outcome, expected)];
}

/** Marks the manifest's line as settled, counted once, or checks that there is still no such line. */
function expectationWrites(
  chunk: ChunkRow,
  outcome: 'skinny' | 'quarantined',
  expected: ExpectedChunk | null,
): Write[] {
  const key = expectedKey(chunk.release, chunk.name);
  if (!expected) return [{ kind: 'check', key, when: [ROW_IS_NEW] }];
  const mark: Write = {
    kind: 'update',
    key,
    set: { outcome, chunkId: chunk.chunkId },
    when: [equals('sha256', expected.sha256), expected.outcome ? equals('outcome', expected.outcome) : NOT_SETTLED],
  };
  if (expected.outcome) return [mark];
  return [mark, { kind: 'update', key: releaseKey(chunk.release), add: { settledChunks: 1 }, when: [ROW_EXISTS] }];
}

/** A line of the manifest that nothing has answered yet has no `outcome`. */
const NOT_SETTLED = { kind: 'absent', attribute: 'outcome' } as const;

export async function readPointer(table: Table, release: string, name: string): Promise<PointerRow | null> {
  const row = await table.get(pointerKey(release, name));
  return row ? pointerRowSchema.parse(row) : null;
}

export async function readExpected(table: Table, release: string, name: string): Promise<ExpectedChunk | null> {
  const row = await table.get(expectedKey(release, name));
  return row ? expectedChunkSchema.parse({ outcome: null, chunkId: null, ...row }) : null;
}
