import { setTimeout as sleep } from 'node:timers/promises';
import type { Work } from '#adapters/journal-rows.ts';
import { backoffMilliseconds } from '#bridge-agent/backoff.ts';
import { causeOf } from '#bridge-agent/cause.ts';
import type { AgentContext } from '#bridge-agent/context.ts';
import { holderIsAlive } from '#bridge-agent/records.ts';
import { failWork, fenceWork, Heartbeats, sendReplies } from '#bridge-agent/report.ts';
import { answerFromLake, cleanUp, returnOutputs } from '#bridge-agent/return.ts';
import { stage } from '#bridge-agent/staging.ts';
import { submitWaiting } from '#bridge-agent/submit.ts';
import { Watch } from '#bridge-agent/watch.ts';
import type { Digest } from '#core/digest.ts';
import { PonteError, TransientError } from '#core/errors.ts';
import type { Observation } from '#core/scheduler.ts';

/** Works that are staged or returned at the same time; each moves one file at a time. */
const TRANSFERS = 4;

/** Tries of the staging before the cloud hears of it: about 14 minutes with the back-off. */
const STAGING_TRIES = 10;

/** How long a stop waits for a transfer to reach the end of its file. */
const STOP_MILLISECONDS = 10_000;

/** Brings every open work one step further, again and again. All that matters between two rounds is in the journal. */
export class WorkLoop {
  readonly #context: AgentContext;
  readonly #watch: Watch;
  readonly #heartbeats = new Heartbeats();
  readonly #renewedAt = new Map<Digest, number>();
  readonly #transfers = new Map<Digest, Promise<void>>();
  #wake: AbortController = new AbortController();
  #takesMore = true;

  constructor(context: AgentContext) {
    this.#context = context;
    this.#watch = new Watch(context);
  }

  /** Has the next round begin at once. */
  nudge(): void {
    this.#wake.abort();
  }

  /** Says that no work will come any more. */
  endIntake(): void {
    this.#takesMore = false;
    this.nudge();
  }

  /** Runs until the signal fires, or, when draining, until nothing is left to do. */
  async run(): Promise<void> {
    const { signal, configuration, journal, draining } = this.#context;
    while (!signal.aborted) {
      this.#wake = new AbortController();
      await this.#round();
      const idle = this.#transfers.size === 0 && journal.openWorks().length === 0 && journal.unsentReplies() === 0;
      if (draining.aborted && !this.#takesMore && idle) return;
      const either = AbortSignal.any([signal, this.#wake.signal]);
      await sleep(configuration.intervals.reconcileSeconds * 1000, null, { signal: either }).catch(() => null);
    }
    await Promise.race([Promise.all(this.#transfers.values()), sleep(STOP_MILLISECONDS, null, { ref: false })]);
  }

  async #round(): Promise<void> {
    const { journal } = this.#context;
    await this.#renewLeases();
    const observation = await this.#observe(journal.openWorks());
    // Again, because the look took its time.
    for (const work of journal.openWorks()) {
      try {
        await this.#step(work, observation);
        await this.#clearUp(work);
      } catch (error) {
        this.#onError(work, error);
      }
    }
    await sendReplies(this.#context);
    await this.#heartbeats.send(journal.openWorks(), this.#context);
  }

  /** Shows the other sites that this one lives, and learns what they have taken over. */
  async #renewLeases(): Promise<void> {
    const { journal, leases, configuration, log } = this.#context;
    for (const work of journal.openWorks()) {
      if (work.state !== 'running' && work.state !== 'returning') continue;
      const renewedAt = this.#renewedAt.get(work.work_key) ?? Number.NEGATIVE_INFINITY;
      const isDue = performance.now() - renewedAt >= configuration.intervals.heartbeatSeconds * 1000;
      if (!isDue && leases.isMine(work.work_key)) continue;
      try {
        if (!(await leases.renew(work))) fenceWork(work, this.#context);
        this.#renewedAt.set(work.work_key, performance.now());
      } catch (error) {
        log.warn({ workKey: work.work_key, error: causeOf(error) }, 'Lease:Unsure');
      }
    }
  }

  /** Takes the work for this site, and brings its inputs; waits while another site has it. */
  async #begin(work: Work): Promise<void> {
    const { journal, leases, configuration, signsOfLife, clock } = this.#context;
    if (await answerFromLake(work, this.#context)) return;
    const taken = await leases.take(work);
    if (taken.kind === 'mine') return stage(work, this.#context);
    // Somebody works on it, and its result will be the answer.
    if (taken.moves) signsOfLife.set(work.work_key, clock.now().getTime());
    journal.transition(work.work_key, 'Job:Elsewhere', { moves: taken.moves }, () => {
      if (journal.work(work.work_key)?.state !== 'received') return;
      journal.setWorkState(work.work_key, 'received');
      journal.postpone(work.work_key, configuration.intervals.heartbeatSeconds * 1000);
    });
  }

  /** One look for all works together: a controller that is asked once a round stays a friend. */
  async #observe(works: readonly Work[]): Promise<Observation> {
    const { journal, scheduler, log } = this.#context;
    const submissions = works.flatMap((work) => journal.submissions(work));
    if (submissions.length === 0) return { kind: 'seen', live: [], ended: [] };
    const since = new Date(Math.min(...submissions.map((submission) => submission.submitted_at)));
    const names = submissions.map((submission) => submission.name);
    const observation = await scheduler.observe(names, since);
    if (observation.kind === 'failed') log.warn({ reason: observation.reason }, 'Scheduler:Silent');
    return observation;
  }

  async #step(work: Work, observation: Observation): Promise<void> {
    const { journal, clock } = this.#context;
    if (work.state === 'unwanted') return this.#giveUp(work, observation);
    if (work.state === 'running') await this.#watch.follow(work, observation);
    // Again, because the look may have moved it on.
    const now = journal.work(work.work_key) ?? work;
    if (now.not_before > clock.now().getTime()) return;
    switch (now.state) {
      case 'received':
        return this.#transfer(now, () => this.#begin(now));
      case 'running':
        return submitWaiting(now, this.#context);
      case 'returning':
        return this.#transfer(now, () => returnOutputs(now, this.#context));
    }
  }

  #transfer(work: Work, act: () => Promise<void>): void {
    if (this.#transfers.has(work.work_key) || this.#transfers.size >= TRANSFERS) return;
    const transfer = act()
      .then(() => this.#clearUp(work))
      .catch((error: unknown) => this.#onError(work, error))
      .finally(() => {
        this.#transfers.delete(work.work_key);
        this.nudge();
      });
    this.#transfers.set(work.work_key, transfer);
  }

  /**
   * Leaves nothing of a work that is over: neither its folder nor a submission that was thought lost and may start some
   * day; if one starts nevertheless, it finds no folder and ends at once.
   */
  async #clearUp({ work_key, round }: Work): Promise<void> {
    const { journal, scheduler, leases } = this.#context;
    const state = journal.work(work_key)?.state;
    if (state !== 'done' && state !== 'failed') return;
    const submissions = journal.submissions({ work_key, round });
    if (state === 'failed' || submissions.length > 1 || submissions.some((one) => one.state !== 'submitted')) {
      for (const { name } of submissions) await scheduler.cancel(name);
    }
    if (state === 'failed') await leases.free(work_key);
    this.#renewedAt.delete(work_key);
    await cleanUp({ work_key }, this.#context);
  }

  /** Cancels what nobody waits for; over only when neither the scheduler nor a claim shows life any more. */
  async #giveUp(work: Work, observation: Observation): Promise<void> {
    const { journal, scheduler, scratch, configuration, leases } = this.#context;
    if (observation.kind === 'failed' || this.#transfers.has(work.work_key)) return;
    const names = new Set(journal.submissions(work).map(({ name }) => name));
    const live = new Set(observation.live.filter((task) => names.has(task.name)).map(({ name }) => name));
    for (const name of live) await scheduler.cancel(name);
    const folder = scratch.folder(work);
    const stale = configuration.intervals.claimStaleSeconds;
    const held = journal.tasks(work).some((task) => task.state === 'active' && holderIsAlive(folder, task.task, stale));
    if (live.size > 0 || held) return;
    await leases.free(work.work_key);
    await cleanUp(work, this.#context);
    journal.transition(work.work_key, 'Job:Cancelled', {}, () => {
      // Somebody may have asked for it again in the meantime.
      if (journal.waiters(work.work_key).length > 0) journal.reopenWork(work.message);
      else journal.setWorkState(work.work_key, 'cancelled');
    });
  }

  #onError(work: Work, error: unknown): void {
    const { journal, log, signal } = this.#context;
    const state = journal.work(work.work_key)?.state;
    const isOver = state === 'done' || state === 'failed' || state === 'cancelled';
    // What was interrupted by the stop, or failed while tidying up, is done again at the next start.
    if (signal.aborted || isOver) return;
    log.warn({ workKey: work.work_key, state: work.state, tries: work.tries, err: error }, 'Job:Postponed');
    if (error instanceof PonteError && !error.retryable) failWork(work, causeOf(error), this.#context);
    else if (work.state === 'received' && work.tries >= STAGING_TRIES) {
      failWork(work, `the inputs cannot be staged: ${causeOf(error)}`, this.#context, TransientError.name);
    } else {
      journal.transition(work.work_key, 'Job:Postponed', { state: work.state, cause: causeOf(error) }, () =>
        journal.postpone(work.work_key, backoffMilliseconds(work.tries)),
      );
    }
  }
}
