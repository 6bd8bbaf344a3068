import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { LocalScheduler } from '#adapters/local-scheduler.ts';
import { SlurmScheduler } from '#adapters/slurm.ts';
import { type AgentConfiguration, agentConfigurationSchema } from '#bridge-agent/configuration.ts';
import type { AgentParts } from '#bridge-agent/context.ts';
import { type Digest, sha256 } from '#core/digest.ts';
import type { BatchPart, JobMessage, ObjectRef } from '#core/job.ts';
import { outputKey, workPrefix } from '#core/work.ts';
import { FolderCloud } from '#test/bridge-agent/folder-cloud.ts';
import { FolderTable } from '#test/bridge-agent/folder-table.ts';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export const JOB_FOLDER = here('../../bridge-agent/job');
const CONFIGURATION_DIGEST = sha256('a configuration');

export type Behaviour =
  | 'succeed'
  | 'science'
  | 'infrastructure'
  | 'flaky'
  | 'memory'
  | 'crash'
  | 'crash-once'
  | 'vanish-once';

export interface OrderedUnit {
  readonly behave?: Behaviour;
  readonly seconds?: number;
}

type ConfigurationInput = Parameters<typeof agentConfigurationSchema.parse>[0] & object;

/** A site of one test: a folder with its own cloud, scratch and journal, and the fake worker that writes down its starts. */
export class TestSite {
  readonly root: string;
  readonly cloud: FolderCloud;
  readonly configuration: AgentConfiguration;
  readonly workLog: string;
  readonly overrides: ConfigurationInput;

  constructor(root: string, overrides: ConfigurationInput = {}) {
    this.root = root;
    this.overrides = overrides;
    this.workLog = join(root, 'work.log');
    const configuration = agentConfigurationSchema.parse({
      site: 'test',
      region: 'us-east-1',
      queueUrl: 'http://127.0.0.1/queue',
      lakeBucket: 'lake',
      scratch: join(root, 'scratch'),
      journal: join(root, 'journal', 'agent.sqlite'),
      scheduler: { kind: 'local', maxProcesses: 4, stateFolder: join(root, 'scheduler') },
      worker: { python: pythonPath(), folder: here('./worker'), module: 'fake_rail' },
      jobFolder: JOB_FOLDER,
      algorithmsFolder: '/',
      limits: { tasksPerArray: 4 },
      intervals: { reconcileSeconds: 0.1, heartbeatSeconds: 0.2, claimHeartbeatSeconds: 0.2, claimStaleSeconds: 2 },
      ...overrides,
    });
    this.configuration = configuration;
    const { queueUrl } = configuration;
    // Sites that share a cloud name its folder as their queue.
    this.cloud = new FolderCloud(queueUrl.startsWith('file:') ? fileURLToPath(queueUrl) : join(root, 'cloud'));
  }

  static create(overrides: ConfigurationInput = {}): TestSite {
    return new TestSite(mkdtempSync(join(tmpdir(), 'ponte-agent-')), overrides);
  }

  /** What an agent of this site runs with; a new scheduler, because the agent closes it. */
  parts(faultPoint?: (name: string) => void): AgentParts {
    const { scheduler, leaseTable } = this.configuration;
    return {
      lake: this.cloud.lake,
      queue: this.cloud.queue,
      callback: this.cloud.callback,
      leaseTable: leaseTable === undefined ? null : new FolderTable(join(this.cloud.root, leaseTable)),
      scheduler:
        scheduler.kind === 'local'
          ? new LocalScheduler({ ...scheduler, launcher: join(JOB_FOLDER, 'local-task.sh') })
          : new SlurmScheduler({ ...scheduler, jobFolder: JOB_FOLDER }),
      clock: { now: () => new Date() },
      log: pino({ level: process.env.PONTE_TEST_LOG ?? 'silent' }),
      algorithms: new Map([['bpz', CONFIGURATION_DIGEST]]),
      ...(faultPoint === undefined ? {} : { faultPoint }),
    };
  }

  /** Puts a batch of units into the lake and gives the message that asks for it. */
  async estimate(name: string, units: readonly OrderedUnit[]): Promise<JobMessage> {
    const parts: BatchPart[] = [];
    for (const [index, unit] of units.entries()) {
      const partId = sha256(`${name} ${index}`);
      const content = { log: this.workLog, unit: partId, seconds: unit.seconds ?? 0, behave: unit.behave ?? 'succeed' };
      parts.push({ partId, skinny: await this.cloud.put(`skinny/${partId}.json`, content), rows: 10 + index });
    }
    const batch = await this.cloud.put(`batches/${name}.json`, { version: 1, batchId: sha256(name), parts });
    const model = await this.#model(name);
    const workKey = sha256(`work ${name}`);
    return {
      ...common(name, workKey),
      kind: 'estimate',
      model,
      batch,
      archive: false,
      pdf: true,
      bisect: false,
    };
  }

  /** A model where an inform leaves it. */
  async #model(name: string): Promise<ObjectRef> {
    const content = `the model of ${name}`;
    const informed = sha256(`inform ${name}`);
    const output = { unitId: informed, name: 'model' as const, sha256: sha256(JSON.stringify(content)) };
    return this.cloud.put(outputKey(workPrefix('inform', informed), output), content);
  }

  async inform(name: string, unit: OrderedUnit = {}): Promise<JobMessage> {
    const content = { log: this.workLog, seconds: unit.seconds ?? 0, behave: unit.behave ?? 'succeed' };
    const training = await this.cloud.put(`training/${name}.json`, content);
    return {
      ...common(name, sha256(`work ${name}`)),
      kind: 'inform',
      training,
      heldOut: { fraction: 0.1, seed: 1 },
    };
  }

  /** Every start of a unit, with the process that did it. */
  startedBy(): readonly { readonly unitId: string; readonly pid: string }[] {
    return this.#lines('start');
  }

  /** Every record, with the process that wrote it. */
  recordedBy(): readonly { readonly unitId: string; readonly pid: string }[] {
    return this.#lines('record');
  }

  /** The process of a unit that was asked to die once, and has. */
  diedItself(unitId: string): string | undefined {
    return this.#lines('died').find((line) => line.unitId === unitId)?.pid;
  }

  worked(verb: 'start' | 'record'): readonly string[] {
    return this.#lines(verb).map(({ unitId }) => unitId);
  }

  /** Lines of the fake worker: `start UNIT PID`, `record UNIT PID`, `died UNIT PID`. */
  #lines(verb: 'start' | 'record' | 'died'): readonly { readonly unitId: string; readonly pid: string }[] {
    if (!existsSync(this.workLog)) return [];
    const lines = readFileSync(this.workLog, 'utf8').split('\n');
    const found = lines.filter((line) => line.startsWith(`${verb} `)).map((line) => line.split(' '));
    return found.map(([, unitId = '', pid = '']) => ({ unitId, pid }));
  }

  /** Whether the agent has stored that its scheduler took a job; asked from outside, while it runs. */
  submitted(): boolean {
    if (!existsSync(this.configuration.journal)) return false;
    const database = new DatabaseSync(this.configuration.journal, { readOnly: true });
    try {
      return database.prepare(`select 1 from submission where state = 'submitted'`).get() !== undefined;
    } catch {
      return false;
    } finally {
      database.close();
    }
  }

  /** Processes of any kind whose command line names this site's folder, the caller's excepted. */
  processes(): readonly string[] {
    const listing = execFileSync('ps', ['-eo', 'pid=,stat=,args='], { encoding: 'utf8' });
    return listing.split('\n').filter((line) => line.includes(this.root) && !/^\s*\d+ Z/.test(line));
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

function common(name: string, workKey: Digest) {
  return {
    version: 1 as const,
    workKey,
    taskToken: `token of ${name}`,
    release: 'test',
    campaign: 'test',
    algorithm: 'bpz',
    configurationDigest: CONFIGURATION_DIGEST,
    ancillary: [],
    outputPrefix: `work/${name}`,
  };
}

/** @throws {Error} with the sentence when the condition does not come true in time. */
export async function until(what: string, condition: () => boolean, seconds = 20): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`waited ${seconds} s in vain for: ${what}`);
    await sleep(25);
  }
}

/** The real interpreter: a version manager's shim needs an environment that jobs do not have. */
export function pythonPath(): string {
  return execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim();
}
