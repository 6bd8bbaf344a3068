import type { OutboxRow, Reply, Work } from '#adapters/journal-rows.ts';
import { backoffMilliseconds } from '#bridge-agent/backoff.ts';
import { causeOf } from '#bridge-agent/cause.ts';
import type { AgentContext } from '#bridge-agent/context.ts';
import type { Digest } from '#core/digest.ts';
import type { JobAnswer } from '#core/job.ts';

/** What the state machine's Catch sees when the work itself failed. */
const JOB_FAILED = 'JobFailed';

export function completeWork(
  work: Work,
  answer: JobAnswer,
  event: 'Job:Done' | 'Job:FoundDone',
  context: AgentContext,
): void {
  const { units, failedUnits, rows, coreSeconds } = answer;
  context.journal.transition(work.work_key, event, { units, failedUnits, rows, coreSeconds }, () => {
    context.journal.setWorkState(work.work_key, 'done', answer);
    replyToAll(work.work_key, { kind: 'success', answer }, context);
  });
}

/** @param error one of RETRYABLE_ERROR_NAMES when the same work may succeed later. */
export function failWork(work: Work, cause: string, context: AgentContext, error: string = JOB_FAILED): void {
  context.journal.transition(work.work_key, 'Job:Failed', { error, cause }, () => {
    context.journal.setWorkState(work.work_key, 'failed');
    replyToAll(work.work_key, { kind: 'failure', error, cause }, context);
  });
}

/**
 * Another site has taken the work over: the cloud has asked that one, so nothing is answered here, and what runs is
 * cancelled.
 */
export function fenceWork({ work_key }: Work, { journal }: AgentContext): void {
  journal.transition(work_key, 'Job:Fenced', {}, () => {
    for (const token of journal.waiters(work_key)) journal.closeWaiter(token);
    journal.setWorkState(work_key, 'unwanted');
  });
}

function replyToAll(workKey: Digest, reply: Reply, { journal }: AgentContext): void {
  for (const token of journal.waiters(workKey)) {
    journal.addReply(workKey, token, reply);
    journal.closeWaiter(token);
  }
}

/** Sends what is due, at least once each: a kill after the send and before the commit sends it again. */
export async function sendReplies(context: AgentContext): Promise<void> {
  for (const row of context.journal.dueReplies()) {
    try {
      const delivered = await send(row, context);
      context.faultPoint?.('Reply:Sent');
      const event = delivered ? 'Reply:Delivered' : 'Reply:Unwanted';
      context.journal.transition(row.work_key, event, { kind: row.reply.kind }, () =>
        context.journal.settleReply(row.id, delivered ? 'delivered' : 'gone'),
      );
    } catch (error) {
      context.log.warn({ workKey: row.work_key, error: causeOf(error) }, 'Reply:Postponed');
      context.journal.postponeReply(row.id, backoffMilliseconds(row.tries));
    }
  }
}

function send({ token, reply }: OutboxRow, { callback }: AgentContext): Promise<boolean> {
  if (reply.kind === 'success') return callback.succeed(token, reply.answer);
  return callback.fail(token, reply.error, reply.cause);
}

/**
 * Tells the cloud of open works that gave a sign of life since the last time. A timer alone would hide a dead job, and
 * the queue alone would let an outage of the scheduler kill healthy ones. Work that nobody waits for any more is given up.
 */
export class Heartbeats {
  readonly #sentAt = new Map<Digest, number>();

  async send(works: readonly Work[], context: AgentContext): Promise<void> {
    const now = context.clock.now().getTime();
    const interval = context.configuration.intervals.heartbeatSeconds * 1000;
    for (const { work_key, state, created_at } of works) {
      const sentAt = this.#sentAt.get(work_key) ?? created_at;
      const aliveAt = context.signsOfLife.get(work_key) ?? 0;
      if (state === 'unwanted' || now - sentAt < interval || aliveAt <= sentAt) continue;
      this.#sentAt.set(work_key, now);
      await beat(work_key, context);
    }
    const open = new Set(works.map((work) => work.work_key));
    for (const workKey of this.#sentAt.keys()) if (!open.has(workKey)) this.#sentAt.delete(workKey);
  }
}

async function beat(workKey: Digest, { journal, callback, log }: AgentContext): Promise<void> {
  for (const token of journal.waiters(workKey)) {
    try {
      if (await callback.heartbeat(token)) continue;
    } catch (error) {
      log.warn({ workKey, error: causeOf(error) }, 'Heartbeat:Failed');
      continue;
    }
    journal.transition(workKey, 'Job:TokenGone', {}, () => {
      journal.closeWaiter(token);
      const state = journal.work(workKey)?.state;
      const open = state === 'received' || state === 'running' || state === 'returning';
      if (open && journal.waiters(workKey).length === 0) journal.setWorkState(workKey, 'unwanted');
    });
  }
}
