import { z } from 'zod';
import { VALUE_CHECK_NAMES } from '#core/checks.ts';
import { type ChunkRow, chunkKey, chunkRowSchema } from '#core/chunk.ts';
import type { Digest } from '#core/digest.ts';
import { type Finding, INTEGRITY_CODES, refuses } from '#core/integrity.ts';
import { digestSchema } from '#core/job.ts';
import { mayMove } from '#core/life-cycle.ts';
import { chunkNameSchema, releasePartition } from '#core/release.ts';
import { equals, type Key, scan, type Table, type Write } from '#core/table.ts';

/**
 * What a person decides on a chunk in quarantine. `retry`: look at it again, for instance after a repair of Ponte.
 * `release`: use it all the same; the checks that refused it only flag it from now on. `discard`: leave it out for good.
 */
export const QUARANTINE_ACTIONS = ['retry', 'release', 'discard'] as const;
export type QuarantineAction = (typeof QUARANTINE_ACTIONS)[number];

/** One decision, for good. Nothing changes or removes such a row. */
export const auditRowSchema = z.object({
  chunkId: digestSchema,
  name: chunkNameSchema,
  action: z.enum(QUARANTINE_ACTIONS),
  /** The ARN that signed the call. */
  who: z.string().min(1),
  why: z.string().min(1),
  at: z.string(),
  /** What the chunk was in quarantine for. */
  codes: z.array(z.string()),
});
export type AuditRow = z.infer<typeof auditRowSchema>;

export const AUDIT_PREFIX = 'A#';
const auditKey = (release: string, row: AuditRow): Key => ({
  pk: releasePartition(release),
  sk: `${AUDIT_PREFIX}${row.at}#${row.chunkId}`,
});

/** The checks that a person waived for one content. */
const waiverRowSchema = z.object({ codes: z.array(z.enum(VALUE_CHECK_NAMES)) });
const waiverKey = (release: string, id: Digest): Key => ({ pk: releasePartition(release), sk: `W#${id}` });

export async function readWaivedCodes(table: Table, release: string, id: Digest): Promise<readonly string[]> {
  const row = await table.get(waiverKey(release, id));
  return row ? waiverRowSchema.parse(row).codes : [];
}

/** Every decision of a release, oldest first. */
export async function* auditOf(table: Table, release: string): AsyncGenerator<AuditRow> {
  for await (const row of scan(table, releasePartition(release), AUDIT_PREFIX)) yield auditRowSchema.parse(row);
}

export type Decided =
  | { readonly kind: 'recorded'; readonly audit: AuditRow }
  | { readonly kind: 'refused'; readonly reason: string };

export interface QuarantineDecision {
  readonly release: string;
  readonly chunkId: Digest;
  readonly action: QuarantineAction;
  readonly who: string;
  readonly why: string;
  readonly now: Date;
}

/**
 * Records a decision and what follows from it, in one transaction: the audit row, and for `retry` and `release` the
 * chunk's way back to `received`. The caller then asks the intake for another look; asked twice, the second finds
 * nothing to do. A chunk that is `received` already may be retried, because that request may have been lost.
 */
export async function decideQuarantine(table: Table, decision: QuarantineDecision): Promise<Decided> {
  const { release, chunkId, action, who, why, now } = decision;
  const key = chunkKey(release, chunkId);
  const row = await table.get(key);
  if (!row) return { kind: 'refused', reason: `there is no chunk ${chunkId.slice(0, 12)} in ${release}` };
  const chunk = chunkRowSchema.parse(row);
  const waiting = chunk.state === 'received' && action === 'retry';
  if (chunk.state !== 'quarantined' && !waiting) {
    return { kind: 'refused', reason: `${chunk.name} is ${chunk.state}, not in quarantine` };
  }
  const refusing = chunk.findings.filter(refuses);
  const audit: AuditRow = {
    chunkId,
    name: chunk.name,
    action,
    who,
    why,
    at: now.toISOString(),
    codes: [...new Set(refusing.map(({ code }) => code))],
  };
  const waived = action === 'release' ? await waiverOf(table, release, chunk, refusing) : null;
  if (waived?.kind === 'refused') return waived;
  const writes: [Write, ...Write[]] = [
    { kind: 'put', item: { ...auditKey(release, audit), ...audit }, when: [{ kind: 'absent', attribute: 'pk' }] },
    { kind: 'update', key, ...followUp(chunk, action, audit) },
  ];
  if (waived) writes.push({ kind: 'put', item: { ...waiverKey(release, chunkId), codes: waived.codes } });
  const { written } = await table.write(writes);
  return written
    ? { kind: 'recorded', audit }
    : { kind: 'refused', reason: `${chunk.name} changed at this very moment; look at it again` };
}

function followUp(
  chunk: ChunkRow,
  action: QuarantineAction,
  { who, why, at }: AuditRow,
): Pick<UpdateOf, 'set' | 'when'> {
  const decision = { action, who, why, at };
  if (action === 'discard') return { set: { decision }, when: [equals('state', 'quarantined')] };
  if (chunk.state === 'received') return { set: { decision }, when: [equals('state', 'received')] };
  return { set: { decision, state: 'received' }, when: [mayMove('retry', 'received')] };
}

type UpdateOf = Extract<Write, { kind: 'update' }>;

async function waiverOf(
  table: Table,
  release: string,
  chunk: ChunkRow,
  refusing: readonly Finding[],
): Promise<{ kind: 'waived'; codes: string[] } | { kind: 'refused'; reason: string }> {
  const fixed: readonly string[] = INTEGRITY_CODES;
  const never = refusing.filter(({ code }) => fixed.includes(code));
  if (never.length > 0) {
    const codes = never.map(({ code }) => code).join(', ');
    return {
      kind: 'refused',
      reason: `${chunk.name} cannot be used: ${codes} cannot be waived. Upload the right file under this name, or discard it`,
    };
  }
  const before = await readWaivedCodes(table, release, chunk.chunkId);
  return { kind: 'waived', codes: [...new Set([...before, ...refusing.map(({ code }) => code)])] };
}
