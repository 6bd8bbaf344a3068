import { deferJob, pausedError, putOff, refusalText } from '#core/deferral.ts';
import { degradedTo, holdsAt, noteDegraded } from '#core/degrade.ts';
import { type KeptLevel, keptLevels } from '#core/degrade-order.ts';
import type { BatchPart, JobAnswer } from '#core/job.ts';
import { admit, findWork, type JobOrder, jobInput, type PreparedJob, prepareJob } from '#core/job-order.ts';
import { readLedger } from '#core/ledger.ts';
import { noteReuse } from '#core/plan/spending.ts';
import type { ReleaseSpec } from '#core/release.ts';
import type { Table } from '#core/table.ts';

/** What the state machine goes on by; `answer` is of a work that is reused. */
export type Admission = PreparedJob & { readonly answer: JobAnswer | null } & (
    | { readonly outcome: 'reuse' | 'start' | 'wait' }
    | { readonly outcome: 'deferred'; readonly reason: string }
  );

/**
 * Whether a job starts: work that was done before is used again; otherwise its worst case is reserved. A job that does
 * not fit waits while other leases may give something back; then an estimate is put off, so that the others end, and its
 * campaign pauses. Near a cap, an estimate is done with less, or put off at once, as its campaign declared.
 * @throws {InputError} `BUDGET_PAUSED` when an inform or a validate does not fit: nothing comes after it.
 */
export async function admitJob(
  table: Table,
  spec: ReleaseSpec,
  order: JobOrder,
  parts: readonly BatchPart[],
  now: Date,
): Promise<Admission> {
  const [{ prepared: whole }, ...less] = await preparedLevels(table, spec, order, parts);
  // Work that was done with less stays good when the cap is raised: nothing is done twice.
  for (const prepared of [whole, ...less.map((level) => level.prepared)]) {
    const done = await findWork(table, prepared.workKey);
    if (!done) continue;
    await noteReuse(table, order.campaign, done);
    return { outcome: 'reuse', ...prepared, answer: done.answer };
  }
  const job = { work: whole.workKey, less: less.map(({ prepared }) => prepared.workKey) };
  const { degrade } = spec.campaign;
  const mayDegrade = degrade !== undefined && order.kind === 'estimate';
  const degraded = mayDegrade ? degradedTo(degrade, await readLedger(table, order.campaign)) : null;
  const prepared = less.findLast(({ step }) => step !== null && holdsAt(degraded, step))?.prepared ?? whole;
  if (degraded) {
    await noteDegraded(table, order.campaign, degraded, now);
    const unwanted = holdsAt(degraded, 'priorityTracts') && order.kind === 'estimate' && order.priority === false;
    if (unwanted || holdsAt(degraded, 'defer')) {
      await putOff(table, order.campaign, { ...job, reason: degraded.reason });
      return { outcome: 'deferred', ...prepared, answer: null, reason: degraded.reason };
    }
  }
  const input = jobInput(prepared.message, parts);
  const reservation = await admit(table, spec, order, prepared.workKey, input, now);
  if (reservation.kind === 'leased') return { outcome: 'start', ...prepared, answer: null };
  if (reservation.mayFitLater) return { outcome: 'wait', ...prepared, answer: null };
  const reason = refusalText(reservation, `this ${order.kind} of ${order.algorithm}`);
  await deferJob(table, order.campaign, { ...job, reason });
  if (order.kind === 'estimate') return { outcome: 'deferred', ...prepared, answer: null, reason };
  throw pausedError(reason);
}

interface PreparedLevel extends Pick<KeptLevel, 'step'> {
  readonly prepared: PreparedJob;
}

/** The job as the campaign says and, of an estimate, as each step it declares has it. */
async function preparedLevels(
  table: Table,
  spec: ReleaseSpec,
  order: JobOrder,
  parts: readonly BatchPart[],
): Promise<readonly [PreparedLevel, ...PreparedLevel[]]> {
  const [most, ...levels] = keptLevels(spec.campaign);
  const prepare = async ({ step, kept }: KeptLevel): Promise<PreparedLevel> => {
    return { step, prepared: await prepareJob(table, spec, order, parts, kept) };
  };
  const whole = await prepare(most);
  if (order.kind !== 'estimate') return [whole];
  const less: PreparedLevel[] = [];
  for (const level of levels) less.push(await prepare(level));
  return [whole, ...less];
}
