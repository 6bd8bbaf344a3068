import {
  awaitsDigest,
  type ChunkRow,
  chunkId,
  chunkKey,
  chunkRowSchema,
  type PointerRow,
  pointerKey,
  pointerRowSchema,
} from '#core/chunk.ts';
import type { Digest } from '#core/digest.ts';
import { InputError } from '#core/errors.ts';
import { type ChunkEvent, CLAIM, CLAIMED_STATES, mayMove, nextState, SETTLED_STATES } from '#core/life-cycle.ts';
import {
  type ExpectedChunk,
  expectedChunkSchema,
  expectedKey,
  type ReleaseRow,
  releaseKey,
  releaseRowSchema,
} from '#core/release.ts';
import { equals, type Key, type Table } from '#core/table.ts';

export interface ClaimRequest {
  readonly release: string;
  readonly name: string;
  readonly sha256: Digest;
  readonly sizeBytes: number;
  readonly etag: string;
  readonly execution: string;
  /** An execution that is over, so that its claim may be taken over. */
  readonly takesOverFrom: string | null;
  /** Whether its digest is known from elsewhere: what was refused for want of one is then looked at anew. */
  readonly digestKnown: boolean;
  readonly now: Date;
}

export type Claim =
  | { readonly kind: 'claimed'; readonly chunk: ChunkRow }
  /** The same content was settled before. `again`: by this very execution, which may have died before it told anyone. */
  | { readonly kind: 'settled'; readonly chunk: ChunkRow; readonly again: boolean }
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
    summary: null,
    revivals: 0,
    seconds: null,
  };
  if ((await table.write([{ kind: 'put', item: { ...key, ...fresh }, when: [CLAIM] }])).written) {
    return { kind: 'claimed', chunk: fresh };
  }
  const chunk = chunkRowSchema.parse(await table.get(key));
  const again = chunk.execution === request.execution;
  if (again && chunk.state === 'superseded') return { kind: 'settled', chunk, again };
  if (again && !SETTLED_STATES.includes(chunk.state)) {
    const checking = await moveChunk(table, chunk, 'check');
    return checking ? { kind: 'claimed', chunk: checking } : refusedClaim(table, key);
  }
  const anew = request.digestKnown && awaitsDigest(chunk);
  if (SETTLED_STATES.includes(chunk.state) && !anew) return { kind: 'settled', chunk, again };
  if (CLAIMED_STATES.includes(chunk.state) && chunk.execution !== request.takesOverFrom) {
    return { kind: 'held', by: chunk.execution };
  }
  // A content that comes back after another one, a retry, one whose digest is known by now, or the claim of an execution that is over: take it over,
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
  return takeOver.written ? { kind: 'claimed', chunk: revived } : refusedClaim(table, key);
}

/** Another execution was faster. */
async function refusedClaim(table: Table, key: Key): Promise<Claim> {
  const chunk = chunkRowSchema.parse(await table.get(key));
  const settled = { kind: 'settled', chunk, again: false } as const;
  return SETTLED_STATES.includes(chunk.state) ? settled : { kind: 'held', by: chunk.execution };
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

export async function readPointer(table: Table, release: string, name: string): Promise<PointerRow | null> {
  const row = await table.get(pointerKey(release, name));
  return row ? pointerRowSchema.parse(row) : null;
}

export async function readExpected(table: Table, release: string, name: string): Promise<ExpectedChunk | null> {
  const row = await table.get(expectedKey(release, name));
  return row ? expectedChunkSchema.parse({ outcome: null, chunkId: null, ...row }) : null;
}
