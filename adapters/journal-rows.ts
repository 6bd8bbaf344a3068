import { z } from 'zod';
import { asDigest } from '#core/digest.ts';
import { digestSchema, jobAnswerSchema, jobMessageSchema } from '#core/job.ts';

/** A column that holds JSON, parsed and checked. */
function json<T extends z.ZodType>(schema: T) {
  return z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(schema);
}

export const OPEN_STATES = ['received', 'running', 'returning', 'unwanted'] as const;

/**
 * received -> running -> returning -> done | failed; from any open state, when nobody waits any more:
 * unwanted -> cancelled. A new token after `failed` or `cancelled` starts a new round: received.
 */
export const workRowSchema = z.object({
  work_key: digestSchema,
  message: json(jobMessageSchema),
  state: z.enum([...OPEN_STATES, 'done', 'failed', 'cancelled']),
  /** Counts from 1; everything on scratch is apart by round. */
  round: z.int(),
  /** Failed tries of the present step, for its back-off. */
  tries: z.int(),
  /** Milliseconds since 1970 before which the next step need not be tried. */
  not_before: z.int(),
  answer: json(jobAnswerSchema).nullable(),
  created_at: z.int(),
});
export type Work = z.infer<typeof workRowSchema>;

const taskUnitSchema = z.object({ unitId: digestSchema, rows: z.int(), attempt: z.int() });
export type TaskUnit = z.infer<typeof taskUnitSchema>;

export const taskRowSchema = z.object({
  work_key: digestSchema,
  round: z.int(),
  task: z.int(),
  units: json(z.array(taskUnitSchema)),
  /** waiting: for a submission; active: in one; ended: every unit has a record of this attempt. */
  state: z.enum(['waiting', 'active', 'ended']),
  /** The newest submission that holds it; null before the first. */
  name: z.string().nullable(),
  losses: z.int(),
  free_losses: z.int(),
  releases: z.int(),
  memory_mb: z.int(),
  minutes: z.int(),
});
export type Task = z.infer<typeof taskRowSchema>;

export const submissionRowSchema = z.object({
  name: z.string(),
  work_key: digestSchema,
  round: z.int(),
  tasks: json(z.tuple([z.int()], z.int())),
  /** submitting: written before the act. unknown: it may exist; only looking can tell. */
  state: z.enum(['submitting', 'submitted', 'unknown', 'rejected']),
  submitted_at: z.int(),
  job_id: z.string().nullable(),
});
export type Submission = z.infer<typeof submissionRowSchema>;

const replySchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('success'), answer: jobAnswerSchema }),
  z.object({ kind: z.literal('failure'), error: z.string(), cause: z.string() }),
]);
export type Reply = z.infer<typeof replySchema>;

export const outboxRowSchema = z.object({
  id: z.int(),
  token: z.string(),
  work_key: z.string().transform((text) => (text === '' ? null : asDigest(text))),
  reply: json(replySchema),
  tries: z.int(),
  due_at: z.int(),
});
export type OutboxRow = z.infer<typeof outboxRowSchema>;

export const eventRowSchema = z.object({
  at: z.int(),
  work_key: z.string(),
  event: z.string(),
  detail: json(z.record(z.string(), z.unknown())),
});
export type EventRow = z.infer<typeof eventRowSchema>;

/** One try of one unit, from its exit record and its task; the history that sizes and profiles come from. */
export const measurementRowSchema = z.object({
  work_key: digestSchema,
  round: z.int(),
  unit_id: digestSchema,
  attempt: z.int(),
  task: z.int(),
  campaign: z.string(),
  algorithm: z.string(),
  kind: z.string(),
  at: z.int(),
  outcome: z.enum(['succeeded', 'failed', 'out-of-memory']),
  error: z.string(),
  rows: z.int(),
  memory_mb: z.int(),
  cpus: z.int(),
  wall_seconds: z.number(),
  import_seconds: z.number(),
  read_seconds: z.number(),
  compute_seconds: z.number(),
  write_seconds: z.number(),
  cpu_seconds: z.number(),
  peak_rss_bytes: z.int(),
  read_bytes: z.int(),
  written_bytes: z.int(),
  node: z.string(),
});
export type MeasurementRow = z.infer<typeof measurementRowSchema>;

/** Types by DDL, so that a reader with the sqlite3 command sees what means what. Times in milliseconds since 1970. */
export const JOURNAL_DDL = `
create table if not exists work (
  work_key text primary key, message text not null, state text not null, round integer not null default 1,
  tries integer not null default 0, not_before integer not null default 0, answer text, created_at integer not null
) strict;
create index if not exists work_open on work (state);
create table if not exists waiter (
  token text primary key, work_key text not null, state text not null default 'waiting', seen_at integer not null
) strict;
create index if not exists waiter_of_work on waiter (work_key);
create table if not exists task (
  work_key text not null, round integer not null, task integer not null, units text not null,
  state text not null default 'waiting', name text, losses integer not null default 0,
  free_losses integer not null default 0, releases integer not null default 0,
  memory_mb integer not null, minutes integer not null, primary key (work_key, round, task)
) strict;
create table if not exists submission (
  name text primary key, work_key text not null, round integer not null, tasks text not null,
  state text not null default 'submitting', submitted_at integer not null, job_id text
) strict;
create index if not exists submission_of_work on submission (work_key, round);
create table if not exists outbox (
  id integer primary key, token text not null unique, work_key text not null, reply text not null,
  state text not null default 'due', tries integer not null default 0, due_at integer not null
) strict;
create index if not exists outbox_due on outbox (state, due_at);
create table if not exists measurement (
  work_key text not null, round integer not null, unit_id text not null, attempt integer not null,
  task integer not null, campaign text not null, algorithm text not null, kind text not null, at integer not null,
  outcome text not null, error text not null, rows integer not null, memory_mb integer not null,
  cpus integer not null, wall_seconds real not null, import_seconds real not null, read_seconds real not null,
  compute_seconds real not null, write_seconds real not null, cpu_seconds real not null,
  peak_rss_bytes integer not null, read_bytes integer not null, written_bytes integer not null, node text not null,
  primary key (work_key, round, unit_id, attempt)
) strict;
create index if not exists measurement_of_algorithm on measurement (algorithm, kind, at);
create index if not exists measurement_of_campaign on measurement (campaign, at);
create table if not exists avoided_node (
  work_key text not null, round integer not null, node text not null, at integer not null,
  primary key (work_key, round, node)
) strict;
create table if not exists event (
  id integer primary key, at integer not null, work_key text not null, event text not null, detail text not null
) strict;
`;
