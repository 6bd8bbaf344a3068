import { JournalDatabase } from '#adapters/journal-database.ts';
import {
  type EventRow,
  eventRowSchema,
  type MeasurementRow,
  measurementRowSchema,
  OPEN_STATES,
  type OutboxRow,
  outboxRowSchema,
  type Reply,
  type Submission,
  submissionRowSchema,
  type Task,
  type TaskUnit,
  taskRowSchema,
  type Work,
  workRowSchema,
} from '#adapters/journal-rows.ts';
import type { Digest } from '#core/digest.ts';
import type { JobAnswer, JobMessage } from '#core/job.ts';

export type NewTask = Pick<Task, 'task' | 'memory_mb' | 'minutes'> & { readonly units: readonly TaskUnit[] };

/**
 * What the agent has decided, before it acts on it. WAL with synchronous=FULL: a committed row survives a power cut.
 * One process at a time: a second one is refused by an exclusive lock that the kernel releases with the process.
 */
export class Journal extends JournalDatabase {
  /** Looks into a journal that an agent may be using. */
  static read<T>(path: string, look: (journal: Journal) => T): T {
    const journal = new Journal({ path, readOnly: true, clock: { now: () => new Date() } });
    try {
      return look(journal);
    } finally {
      journal.close();
    }
  }

  work(workKey: Digest): Work | null {
    return this.all(workRowSchema, 'select * from work where work_key = ?', [workKey])[0] ?? null;
  }

  /** Oldest first. */
  openWorks(): readonly Work[] {
    const states = OPEN_STATES.map((state) => `'${state}'`).join(', ');
    return this.all(workRowSchema, `select * from work where state in (${states}) order by created_at, work_key`);
  }

  addWork(message: JobMessage): void {
    this.run('insert into work (work_key, message, state, created_at) values (?, ?, ?, ?)', [
      message.workKey,
      JSON.stringify(message),
      'received',
      this.now(),
    ]);
  }

  /** A new round after a failure or a cancellation, with the newest message. */
  reopenWork(message: JobMessage): void {
    this.run(
      `update work set state = 'received', round = round + 1, tries = 0, not_before = 0, message = ? where work_key = ?`,
      [JSON.stringify(message), message.workKey],
    );
  }

  /** Moves to another state; the back-off starts anew. */
  setWorkState(workKey: Digest, state: Work['state'], answer: JobAnswer | null = null): void {
    this.run('update work set state = ?, answer = ?, tries = 0, not_before = 0 where work_key = ?', [
      state,
      answer === null ? null : JSON.stringify(answer),
      workKey,
    ]);
  }

  postpone(workKey: Digest, milliseconds: number): void {
    this.run('update work set tries = tries + 1, not_before = ? where work_key = ?', [
      this.now() + Math.round(milliseconds),
      workKey,
    ]);
  }

  knowsWaiter(token: string): boolean {
    return this.texts('select token from waiter where token = ?', token).length > 0;
  }

  /** Notes who waits for a work. A token that is known already keeps its state: an old message may come again. */
  addWaiter(workKey: Digest, token: string): void {
    const sql = 'insert or ignore into waiter (token, work_key, seen_at) values (?, ?, ?)';
    this.run(sql, [token, workKey, this.now()]);
  }

  /** Tokens that still want an answer, newest first. */
  waiters(workKey: Digest): readonly string[] {
    return this.texts(`select token from waiter where work_key = ? and state = 'waiting' order by rowid desc`, workKey);
  }

  closeWaiter(token: string): void {
    this.run(`update waiter set state = 'closed' where token = ?`, [token]);
  }

  tasks(work: Pick<Work, 'work_key' | 'round'>): readonly Task[] {
    const sql = 'select * from task where work_key = ? and round = ? order by task';
    return this.all(taskRowSchema, sql, [work.work_key, work.round]);
  }

  addTasks(work: Pick<Work, 'work_key' | 'round'>, tasks: readonly NewTask[]): void {
    for (const { task, units, memory_mb, minutes } of tasks) {
      this.run('insert into task (work_key, round, task, units, memory_mb, minutes) values (?, ?, ?, ?, ?, ?)', [
        work.work_key,
        work.round,
        task,
        JSON.stringify(units),
        memory_mb,
        minutes,
      ]);
    }
  }

  saveTask(task: Task): void {
    this.run(
      `update task set state = ?, name = ?, losses = ?, free_losses = ?, releases = ?, memory_mb = ?, minutes = ?
       where work_key = ? and round = ? and task = ?`,
      [
        ...[task.state, task.name, task.losses, task.free_losses, task.releases, task.memory_mb, task.minutes],
        ...[task.work_key, task.round, task.task],
      ],
    );
  }

  /** Of the present round, oldest first. */
  submissions(work: Pick<Work, 'work_key' | 'round'>): readonly Submission[] {
    const sql = 'select * from submission where work_key = ? and round = ? order by rowid';
    return this.all(submissionRowSchema, sql, [work.work_key, work.round]);
  }

  addSubmission(work: Pick<Work, 'work_key' | 'round'>, name: string, tasks: readonly number[]): void {
    this.run('insert into submission (name, work_key, round, tasks, submitted_at) values (?, ?, ?, ?, ?)', [
      name,
      work.work_key,
      work.round,
      JSON.stringify(tasks),
      this.now(),
    ]);
  }

  setSubmission(name: string, state: Submission['state'], jobId: string | null): void {
    this.run('update submission set state = ?, job_id = coalesce(?, job_id) where name = ?', [state, jobId, name]);
  }

  /** What was being submitted when the last agent ended is unknown now. Returns the names. */
  doubtSubmissions(): readonly string[] {
    return this.texts(`update submission set state = 'unknown' where state = 'submitting' returning name`);
  }

  /** One reply per token, ever: a second is ignored. */
  addReply(workKey: Digest | null, token: string, reply: Reply): void {
    this.run('insert or ignore into outbox (token, work_key, reply, due_at) values (?, ?, ?, ?)', [
      token,
      workKey ?? '',
      JSON.stringify(reply),
      this.now(),
    ]);
  }

  dueReplies(): readonly OutboxRow[] {
    const sql = `select * from outbox where state = 'due' and due_at <= ? order by id limit 100`;
    return this.all(outboxRowSchema, sql, [this.now()]);
  }

  unsentReplies(): number {
    return this.texts(`select cast(count(*) as text) as count from outbox where state = 'due'`).map(Number)[0] ?? 0;
  }

  settleReply(id: number, state: 'delivered' | 'gone'): void {
    this.run('update outbox set state = ? where id = ?', [state, id]);
  }

  postponeReply(id: number, milliseconds: number): void {
    const due = this.now() + Math.round(milliseconds);
    this.run('update outbox set tries = tries + 1, due_at = ? where id = ?', [due, id]);
  }

  /** The first word on an attempt stands, as its exit record does. */
  addMeasurement(row: MeasurementRow): void {
    const names = Object.keys(measurementRowSchema.shape);
    const values = Object.values(measurementRowSchema.parse(row));
    const marks = names.map(() => '?').join(', ');
    this.run(`insert or ignore into measurement (${names.join(', ')}) values (${marks})`, values);
  }

  /** The newest attempts of one algorithm and kind of work, at most `limit`. */
  history(algorithm: string, kind: string, limit: number): readonly MeasurementRow[] {
    const sql = 'select * from measurement where algorithm = ? and kind = ? order by at desc limit ?';
    return this.all(measurementRowSchema, sql, [algorithm, kind, limit]);
  }

  /** Every attempt of a campaign, in the order of time. */
  measurements(campaign: string): readonly MeasurementRow[] {
    const sql = 'select * from measurement where campaign = ? order by at, work_key, task, unit_id';
    return this.all(measurementRowSchema, sql, [campaign]);
  }

  /** Core-seconds that a campaign, or with null all of them, took here since a moment (ms). */
  coreSeconds(campaign: string | null, since: number): number {
    const sql = `select cast(coalesce(sum(wall_seconds * cpus), 0) as text) from measurement
      where at >= ? and (? is null or campaign = ?)`;
    return this.texts(sql, since, campaign, campaign).map(Number)[0] ?? 0;
  }

  avoidNode(work: Pick<Work, 'work_key' | 'round'>, node: string): void {
    const sql = 'insert or ignore into avoided_node (work_key, round, node, at) values (?, ?, ?, ?)';
    this.run(sql, [work.work_key, work.round, node, this.now()]);
  }

  /** Nodes on which this work met the infrastructure's failures, newest first. */
  avoidedNodes({ work_key, round }: Pick<Work, 'work_key' | 'round'>): readonly string[] {
    const sql = 'select node from avoided_node where work_key = ? and round = ? order by at desc, node';
    return this.texts(sql, work_key, round);
  }

  forgetAvoidedNodes({ work_key, round }: Pick<Work, 'work_key' | 'round'>): void {
    this.run('delete from avoided_node where work_key = ? and round = ?', [work_key, round]);
  }

  events(workKey: Digest): readonly EventRow[] {
    return this.all(eventRowSchema, 'select * from event where work_key = ? order by id', [workKey]);
  }
}
