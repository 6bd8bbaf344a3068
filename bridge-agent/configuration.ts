import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { InputError } from '#core/errors.ts';
import { nameSchema } from '#core/job.ts';
import { type Patience, SLURM_PATIENCE } from '#core/reconcile.ts';

/** Absolute and plain, because such paths end up in batch scripts' arguments and in log files' names. */
export const pathSchema = z.string().regex(/^\/[A-Za-z0-9._/-]*$/, 'must be an absolute path of plain characters');

const wordSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'must be a plain word');

const slurmSchema = z.strictObject({
  kind: z.literal('slurm'),
  partition: wordSchema,
  account: wordSchema.optional(),
  qos: wordSchema.optional(),
  slurmConf: pathSchema.optional(),
  /** Whether the site keeps accounts that sacct can read. */
  accounting: z.boolean().default(true),
  maxRunningPerArray: z.int().positive().optional(),
  /** A job array, or one large allocation with workers that share the tasks. */
  shape: z.enum(['array', 'allocation']).default('array'),
  workersPerAllocation: z.int().positive().default(32),
});

const localSchema = z.strictObject({
  kind: z.literal('local'),
  maxProcesses: z.int().positive(),
  /** Where the built-in scheduler keeps its books; on a local disk. */
  stateFolder: pathSchema,
});

const limitsSchema = z.strictObject({
  /** Works taken from the queue and not finished; the others stay there, where another agent may take them. */
  maxJobs: z.int().positive().default(20),
  /** Nothing more is taken while the open tasks ask for so many cores, or after so many core-hours. */
  maxCores: z.int().positive().optional(),
  maxCoreHours: z.number().positive().optional(),
  /** Shares of one campaign: what would go beyond them stays in the queue. */
  maxJobsPerCampaign: z.int().positive().optional(),
  maxCoresPerCampaign: z.int().positive().optional(),
  maxScratchMbPerCampaign: z.number().positive().optional(),
  /** Nothing more is taken while the open works take so much of scratch. */
  maxScratchMb: z.number().positive().optional(),
  /** Further work of a campaign that took so many here is refused. */
  maxCoreHoursPerCampaign: z.number().positive().optional(),
  /** Nothing more is taken while scratch has less left. */
  minFreeScratchMb: z.number().nonnegative().default(1000),
  minFreeInodes: z.int().nonnegative().default(1000),
  /** A scheduler accepts indices up to its MaxArraySize (1001 by default), and retries need some. */
  tasksPerArray: z.int().min(1).max(500).default(8),
  cpusPerTask: z.int().positive().default(1),
  timeLimitMinutes: z.int().positive().default(60),
  memoryMb: z.int().positive().default(4096),
  /** How long a task shall take, once enough units of its algorithm were measured here. */
  targetMinutes: z.number().positive().default(30),
  /** How far a retry after a time-out or after memory ran out may raise them. */
  maxTimeLimitMinutes: z.int().positive().default(720),
  maxMemoryMb: z.int().positive().default(32_768),
  /** Tries of a unit that failed for reasons of infrastructure, and of a task that ended without its records. */
  attempts: z.int().positive().default(3),
});

const intervalsSchema = z.strictObject({
  reconcileSeconds: z.number().positive().default(15),
  /** Between two signs of life to the cloud; its HeartbeatSeconds must be at least three times as long. */
  heartbeatSeconds: z.number().positive().default(30),
  /** How often the job side touches its claim, and when a claim counts as abandoned. */
  claimHeartbeatSeconds: z.number().positive().default(5),
  claimStaleSeconds: z.number().positive().default(30),
  /** How long a scheduler that does not answer still counts as a sign of life. */
  schedulerGraceSeconds: z.number().positive().default(900),
  /** For how long a message goes back to the queue when its campaign has its share here. */
  giveBackSeconds: z.int().nonnegative().max(43_200).default(300),
  /** How long this site may be silent before another one takes its work over; its jobs end after two thirds of that. */
  leaseSeconds: z.number().positive().default(2700),
});

export const agentConfigurationSchema = z.strictObject({
  site: nameSchema,
  region: z.string(),
  /** Of the whole cloud; for a private endpoint. */
  endpoint: z.url().optional(),
  queueUrl: z.url(),
  lakeBucket: z.string(),
  /** The stack's LeaseTable, where several sites take from the queue; only one site may do without. */
  leaseTable: z.string().optional(),
  /** Assumed through STS and renewed; without it the SDK's default chain. */
  credentials: z
    .strictObject({ roleArn: z.string().startsWith('arn:'), sessionName: wordSchema.optional() })
    .optional(),
  /** Shared with the compute nodes. */
  scratch: pathSchema,
  /** Where copies of the tables that go and come stay, by digest, for `ponte pack` and for further algorithms; none without. */
  keep: pathSchema.optional(),
  /** On a local disk, never on NFS or Lustre. */
  journal: pathSchema,
  scheduler: z.discriminatedUnion('kind', [slurmSchema, localSchema]),
  worker: z.strictObject({
    /** The RAIL environment's interpreter, as the compute nodes see it. */
    python: pathSchema,
    /** Holds the package `ponte_rail`; readable by the compute nodes. */
    folder: pathSchema,
    module: z
      .string()
      .regex(/^[a-z_][a-z0-9_]*$/)
      .default('ponte_rail'),
  }),
  /** Holds job.py and the two launchers; readable by the compute nodes. */
  jobFolder: pathSchema,
  /** The registered algorithms: one JSON file each. */
  algorithmsFolder: pathSchema,
  limits: limitsSchema.prefault({}),
  intervals: intervalsSchema.prefault({}),
  /** Take no more messages, finish what was taken, then stop. */
  drain: z.boolean().default(false),
  logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
});
export type AgentConfiguration = z.infer<typeof agentConfigurationSchema>;

/** @throws {InputError} `CONFIGURATION_UNREADABLE` that names the file and every wrong field. */
export async function readAgentConfiguration(path: string): Promise<AgentConfiguration> {
  const hint = 'docs/site.md describes every field.';
  let content: unknown;
  try {
    content = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    const message = `cannot read the agent's configuration ${path}: ${cause instanceof Error ? cause.message : cause}`;
    throw new InputError(message, { code: 'CONFIGURATION_UNREADABLE', hint, cause });
  }
  const parsed = agentConfigurationSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  throw new InputError(`${path} is not a valid agent configuration:\n${z.prettifyError(parsed.error)}`, {
    code: 'CONFIGURATION_UNREADABLE',
    hint,
  });
}

/** The built-in scheduler answers for itself at once; only the file system needs a moment. */
const LOCAL_PATIENCE: Patience = { recordGraceSeconds: 1, submissionGraceSeconds: 0, missingLooks: 1, releases: 0 };

export function patienceOf({ scheduler }: Pick<AgentConfiguration, 'scheduler'>): Patience {
  return scheduler.kind === 'slurm' ? SLURM_PATIENCE : LOCAL_PATIENCE;
}
