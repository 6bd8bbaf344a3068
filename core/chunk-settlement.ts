import {
  awaitsDigest,
  type ChunkRow,
  chunkKey,
  chunkRowSchema,
  type PartRow,
  type PointerRow,
  partKey,
  pointerKey,
} from '#core/chunk.ts';
import { readExpected, readPointer } from '#core/chunk-book.ts';
import type { Digest } from '#core/digest.ts';
import { TransientError } from '#core/errors.ts';
import { type Finding, judgeAgainstManifest, onlyUnverified } from '#core/integrity.ts';
import { mayMove, SETTLED_STATES } from '#core/life-cycle.ts';
import type { ObjectSlice } from '#core/object-slice.ts';
import { type ExpectedChunk, expectedKey, releaseKey } from '#core/release.ts';
import { equals, ROW_EXISTS, ROW_IS_NEW, type Table, type Write } from '#core/table.ts';

export type Settlement =
  | {
      readonly outcome: 'skinny';
      readonly rows: number;
      readonly recipeDigest: Digest;
      readonly parts: readonly PartRow[];
      readonly findings: readonly Finding[];
      readonly summary: ObjectSlice;
    }
  | { readonly outcome: 'quarantined'; readonly findings: readonly Finding[] };

export interface SettleRequest {
  readonly chunk: ChunkRow;
  readonly settlement: Settlement;
  readonly seconds: number;
  readonly now: Date;
  /** The etag of what is under the key now; null when the object was removed. Read after the pointer, and once more. */
  readonly currentEtag: () => Promise<string | null>;
}

export interface Settled {
  /** `takenOver`: another execution holds the chunk now and answers for it. */
  readonly kind: 'recorded' | 'superseded' | 'alreadySettled' | 'takenOver';
  /** What lies under the name may be nobody's work: whoever settles asks for another look at it. */
  readonly lookAgain: boolean;
}

/** How often two that settle the same name at once may get in each other's way before the state machine retries. */
const SETTLE_ATTEMPTS = 8;

/**
 * Records what became of a chunk, exactly once, and makes it the current one under its name, unless a newer content
 * lies there by now.
 *
 *     A: read pointer r1 ── look at the key: A ────────────── write if r1 ── refused, looks again: superseded
 *     B:      read pointer r1 ── look at the key: B ── write if r1: r2
 *
 * The write cannot depend on what lies under the key, which is in another service. So the key is looked at once more
 * afterwards. Without that, an upload in between would be lost whose content another execution was at work on:
 *
 *     A: look at the key: B ──────────────────────────────────── write: superseded ── look again: A
 *     uploads:              A again ── its event: A is at work, nothing to start
 *
 * @throws {TransientError} `SETTLE_CONTENDED` when others kept getting in the way.
 */
export async function settleChunk(table: Table, request: SettleRequest): Promise<Settled> {
  const { chunk } = request;
  if (request.settlement.outcome === 'skinny') await writeParts(table, chunk, request.settlement.parts);
  for (let attempt = 0; attempt < SETTLE_ATTEMPTS; attempt += 1) {
    const pointer = await readPointer(table, chunk.release, chunk.name);
    const expected = await readExpected(table, chunk.release, chunk.name);
    const etag = await request.currentEtag();
    const row = chunkRowSchema.parse(await table.get(chunkKey(chunk.release, chunk.chunkId)));
    if (row.execution !== chunk.execution) return { kind: 'takenOver', lookAgain: false };
    if (SETTLED_STATES.includes(row.state) || row.state === 'superseded') {
      const another = row.state === 'superseded' || awaitsDigest(row);
      return { kind: 'alreadySettled', lookAgain: another || (await differs(request, row.etag)) };
    }
    const stale = etag !== null && etag !== chunk.etag;
    const judged = { ...request, settlement: judgeAgain(chunk, request.settlement, expected) };
    const supersedesCurrent = await supersedes(table, chunk, pointer);
    const writes = stale ? supersededWrites(request) : settlementWrites(judged, pointer, supersedesCurrent, expected);
    if (!(await table.write(writes)).written) continue;
    // What made it stale may be the same content again under another etag, whose event found us at work.
    return stale
      ? { kind: 'superseded', lookAgain: true }
      : { kind: 'recorded', lookAgain: isUnverified(judged.settlement) || (await differs(request, etag)) };
  }
  throw new TransientError(`could not settle ${chunk.name} of ${chunk.release}: others kept changing it`, {
    code: 'SETTLE_CONTENDED',
    hint: 'The state machine tries again; nothing was written.',
  });
}

/** The digest may have come meanwhile, in a manifest or with the same bytes again, whose event found us at work. */
const isUnverified = ({ outcome, findings }: Settlement): boolean =>
  outcome === 'quarantined' && onlyUnverified(findings);

/**
 * Whether the current chunk has yet to be superseded by this one: a look at it anew may have found it out of date already,
 * and then a write that insists on the move would be refused for ever.
 */
async function supersedes(table: Table, chunk: ChunkRow, pointer: PointerRow | null): Promise<boolean> {
  if (!pointer || pointer.chunkId === chunk.chunkId) return false;
  return chunkRowSchema.parse(await table.get(chunkKey(chunk.release, pointer.chunkId))).state !== 'superseded';
}

/** Whether there is something under the key that is not what the decision was based on. */
async function differs({ currentEtag }: SettleRequest, seen: string | null): Promise<boolean> {
  const etag = await currentEtag();
  return etag !== null && etag !== seen;
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
      when: [equals('execution', chunk.execution), mayMove('supersede', 'superseded')],
    },
  ];
}

function settlementWrites(
  { chunk, settlement, seconds, now }: SettleRequest,
  pointer: PointerRow | null,
  supersedesCurrent: boolean,
  expected: ExpectedChunk | null,
): [Write, ...Write[]] {
  const { outcome } = settlement;
  const findings = settlement.findings.map((finding) => ({ ...finding }));
  const facts =
    outcome === 'skinny'
      ? {
          rows: settlement.rows,
          parts: settlement.parts.length,
          recipeDigest: settlement.recipeDigest,
          summary: { ...settlement.summary },
          findings,
        }
      : { findings };
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
  if (pointer && supersedesCurrent) {
    writes.push({
      kind: 'update',
      key: chunkKey(chunk.release, pointer.chunkId),
      set: { state: 'superseded' },
      when: [mayMove('supersede', 'superseded')],
    });
  }
  // The line has the digest that was missing: it is answered by the look that knows it.
  if (isUnverified(settlement) && expected?.outcome === null && expected.sha256 === chunk.sha256) {
    const key = expectedKey(chunk.release, chunk.name);
    return [...writes, { kind: 'check', key, when: [equals('sha256', expected.sha256), NOT_SETTLED] }];
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
