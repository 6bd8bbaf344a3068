import type { Task, Work } from '#adapters/journal-rows.ts';
import { backoffMilliseconds } from '#bridge-agent/backoff.ts';
import { patienceOf } from '#bridge-agent/configuration.ts';
import type { AgentContext } from '#bridge-agent/context.ts';
import { holderIsAlive, listRecords, logTail, readRecord, recordLoss } from '#bridge-agent/records.ts';
import { avoidNodeOf, capReached, finishTask, resources } from '#bridge-agent/retry.ts';
import { type Decision, lookAtTask, reconcile, type TaskEvidence } from '#core/reconcile.ts';
import type { Observation } from '#core/scheduler.ts';

/** What successive looks at one task have shown; forgotten with the process, which only makes it more patient. */
interface Memory {
  missingLooks: number;
  /** Milliseconds; null while it lives. */
  goneSince: number | null;
}

type Loss = Pick<Decision & { readonly act: 'lost' }, 'cause' | 'free' | 'detail' | 'node'>;

/** Follows running tasks from look to look. */
export class Watch {
  readonly #context: AgentContext;
  readonly #memories = new Map<string, Memory>();
  #lastAnswerAt: number;

  constructor(context: AgentContext) {
    this.#context = context;
    this.#lastAnswerAt = context.clock.now().getTime();
  }

  /** Applies one observation to all active tasks of a work. */
  async follow(work: Work, observation: Observation): Promise<void> {
    const { journal, scratch, clock } = this.#context;
    const folder = scratch.folder(work);
    const now = clock.now().getTime();
    if (observation.kind === 'seen') this.#lastAnswerAt = now;
    const records = listRecords(folder);
    const submissions = new Map(journal.submissions(work).map((submission) => [submission.name, submission]));
    for (const task of journal.tasks(work)) {
      const current = task.name === null ? undefined : submissions.get(task.name);
      if (task.state !== 'active' || current === undefined) continue;
      const held = [...submissions.values()].filter(({ tasks }) => tasks.includes(task.task));
      const names = held.map(({ name }) => name);
      const look = lookAtTask(observation, names, current.name, task.task);
      const recorded = task.units.every(({ unitId, attempt }) => records.has(folder.exitRecordName(unitId, attempt)));
      const memory = this.#remember(work, task, look, now);
      const evidence: TaskEvidence = {
        recorded,
        look,
        holderAlive: !recorded && !look?.live.length && this.#holderIsAlive(work, task),
        sinceSubmission: (now - current.submitted_at) / 1000,
        missingLooks: memory.missingLooks,
        sinceGone: memory.goneSince === null ? 0 : (now - memory.goneSince) / 1000,
        releases: task.releases,
      };
      await this.#apply(work, task, reconcile(evidence, patienceOf(this.#context.configuration)));
    }
    if (journal.work(work.work_key)?.state === 'running') this.#finishWhenAllEnded(work);
  }

  async #apply(work: Work, task: Task, decision: Decision): Promise<void> {
    const { journal, scheduler } = this.#context;
    switch (decision.act) {
      case 'finish':
        this.#forget(work, task);
        this.#lives(work);
        finishTask(work, task, this.#context);
        return;
      case 'wait':
        if (decision.evidence || this.#isInGrace()) this.#lives(work);
        return;
      case 'adopt':
        this.#lives(work);
        for (const duplicate of decision.surplus) await scheduler.cancelTask(duplicate);
        return;
      case 'release':
        journal.transition(work.work_key, 'Task:Released', { task: task.task, reason: decision.task.reason }, () =>
          journal.saveTask({ ...task, releases: task.releases + 1 }),
        );
        await scheduler.release(decision.task);
        return;
      case 'abandon':
        await scheduler.cancelTask(decision.task);
        this.#lose(work, task, {
          cause: 'stuck',
          free: false,
          detail: `job ${decision.task.jobId} can never start: ${decision.reason}`,
          node: '',
        });
        return;
      case 'lost':
        this.#lose(work, task, decision);
    }
  }

  /** Back to the queue with what the cause suggests, or, after too many tries, failed for good. */
  #lose(work: Work, task: Task, { free, detail, cause, node }: Loss): void {
    const { journal, scratch, configuration } = this.#context;
    const { attempts } = configuration.limits;
    this.#forget(work, task);
    const losses = task.losses + (free ? 0 : 1);
    const freeLosses = task.free_losses + (free ? 1 : 0);
    // Ten times as patient with what is not the task's doing: a site may have a bad day.
    const cap = capReached(task, cause, configuration.limits);
    const grows = cap === null && (cause === 'out-of-memory' || cause === 'timeout');
    const hopeless = cap !== null || (!grows && losses >= attempts) || freeLosses >= attempts * 10;
    const output = logTail(scratch.folder(work), task);
    if (hopeless) {
      const folder = scratch.folder(work);
      const said = `${detail}${cap === null ? '' : `; ${cap}`}; given up after ${losses + freeLosses} tries${output && `; it last said: ${output}`}`;
      for (const unit of task.units) recordLoss(folder, work.work_key, unit, said);
    }
    journal.transition(work.work_key, 'Task:Lost', { task: task.task, cause, free, detail, hopeless, output }, () => {
      if (cause === 'node-fail' || cause === 'failed') avoidNodeOf(work, node, this.#context);
      journal.saveTask({
        ...task,
        ...resources(task, cause, configuration.limits),
        state: hopeless ? 'active' : 'waiting',
        losses,
        free_losses: freeLosses,
      });
      journal.postpone(work.work_key, backoffMilliseconds(losses + freeLosses - 1));
    });
  }

  #finishWhenAllEnded(work: Work): void {
    const { journal, scratch } = this.#context;
    const tasks = journal.tasks(work);
    if (tasks.length === 0 || tasks.some((task) => task.state !== 'ended')) return;
    const folder = scratch.folder(work);
    const outcomes = tasks.flatMap((task) => task.units.map((unit) => readRecord(folder, work.work_key, unit).outcome));
    const failedTries = outcomes.filter((outcome) => outcome === 'failed').length;
    journal.transition(work.work_key, 'Job:Ended', { tries: outcomes.length, failedTries }, () =>
      journal.setWorkState(work.work_key, 'returning'),
    );
  }

  #holderIsAlive(work: Work, task: Task): boolean {
    const { scratch, configuration } = this.#context;
    return holderIsAlive(scratch.folder(work), task.task, configuration.intervals.claimStaleSeconds);
  }

  #lives(work: Work): void {
    this.#context.signsOfLife.set(work.work_key, this.#context.clock.now().getTime());
  }

  /** While the scheduler does not answer, its jobs probably live; but not for ever. */
  #isInGrace(): boolean {
    const { clock, configuration } = this.#context;
    const silence = clock.now().getTime() - this.#lastAnswerAt;
    return silence > 0 && silence < configuration.intervals.schedulerGraceSeconds * 1000;
  }

  #remember(work: Work, task: Task, look: TaskEvidence['look'], now: number): Memory {
    const key = `${work.work_key} ${work.round} ${task.task}`;
    const memory = this.#memories.get(key) ?? { missingLooks: 0, goneSince: null };
    this.#memories.set(key, memory);
    if (look === null) return memory;
    if (look.live.length > 0) {
      memory.missingLooks = 0;
      memory.goneSince = null;
    } else {
      memory.missingLooks = look.ended.length > 0 ? 0 : memory.missingLooks + 1;
      memory.goneSince ??= now;
    }
    return memory;
  }

  #forget(work: Work, task: Task): void {
    this.#memories.delete(`${work.work_key} ${work.round} ${task.task}`);
  }
}
