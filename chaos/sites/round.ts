import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { Journal } from '#adapters/journal.ts';
import { untilOrTell } from '#chaos/sites/standstill.ts';
import { batchSchema, type JobMessage, jobAnswerSchema, jobResultSchema } from '#core/job.ts';
import { run as runProgram } from '#local/process.ts';
import type { SlurmHandle } from '#local/slurm.ts';
import { AgentChild } from '#test/bridge-agent/agent-child.ts';
import { FolderTable } from '#test/bridge-agent/folder-table.ts';
import { TestSite } from '#test/bridge-agent/site.ts';

/** Works of a round, and how long the parts of a work take; the last outlives the lease. */
const WORKS = 8;
const PART_SECONDS = [0.5, 1, 1, 14];
/** How long a site may be silent: short, and longer than a look at a Slurm that is busy on a machine that is, too. */
const LEASE_SECONDS = 12;
const PATIENCE_SECONDS = 200;
/** Until an agent that holds the lock of a file has let it go. */
const THAW_MILLISECONDS = 50;
const LEASE_TABLE = 'leases.sqlite';
/** What a site that comes back gets to do something wrong in. */
const RETURN_SECONDS = 5;

/** One death of a site; see chaos/sites.ts. */
export class Round {
  readonly #cluster: SlurmHandle;
  readonly #number: number;
  readonly #isFrozen: boolean;
  /** The one that dies, and the one that stays: apart in journal, scratch, profile and limits. */
  readonly #dies: TestSite;
  readonly #stays: TestSite;
  readonly #agents: AgentChild[] = [];
  readonly #watches: NodeJS.Timeout[] = [];
  readonly #leases: FolderTable;
  #freezesWithLock = 0;

  constructor(folder: string, number: number, cluster: SlurmHandle) {
    this.#number = number;
    this.#isFrozen = number % 2 === 1;
    this.#cluster = cluster;
    const shared = join(folder, 'cloud');
    mkdirSync(shared, { recursive: true });
    this.#leases = new FolderTable(join(shared, LEASE_TABLE));
    const site = (name: string, shape: 'array' | 'allocation', maxJobs: number) => {
      mkdirSync(join(folder, name));
      return new TestSite(join(folder, name), {
        site: name,
        queueUrl: pathToFileURL(shared).href,
        leaseTable: LEASE_TABLE,
        scheduler: {
          kind: 'slurm',
          partition: cluster.partition,
          slurmConf: cluster.confPath,
          accounting: false,
          shape,
        },
        limits: { maxJobs, tasksPerArray: 2, memoryMb: 100, timeLimitMinutes: 5 },
        intervals: {
          reconcileSeconds: 0.5,
          heartbeatSeconds: 1,
          claimHeartbeatSeconds: 0.3,
          claimStaleSeconds: 3,
          leaseSeconds: LEASE_SECONDS,
        },
      });
    };
    this.#dies = site(`apollo-${number}`, 'array', 3);
    this.#stays = site(`santos-dumont-${number}`, 'allocation', 2);
  }

  async play(): Promise<{ readonly counts: Record<string, number>; readonly wrong: readonly string[] }> {
    const { cloud } = this.#dies;
    const messages: JobMessage[] = [];
    for (let index = 0; index < WORKS; index += 1) {
      const parts = PART_SECONDS.map((seconds) => ({ seconds }));
      messages.push(await this.#dies.estimate(`work-${index}`, parts));
    }
    const sites = [this.#dies, this.#stays];
    const scene = { number: this.#number, cluster: this.#cluster, sites, leases: this.#leases, works: messages };
    const kill = () => {
      for (const agent of this.#agents) agent.kill('SIGKILL');
    };
    process.once('exit', kill);
    try {
      for (const message of messages) cloud.send(message);
      const first = this.#start(this.#dies);
      this.#start(this.#stays);
      const half = () => cloud.answers().length >= WORKS / 2 && this.#isBusy();
      await untilOrTell('half of the works', half, PATIENCE_SECONDS, scene);
      if (this.#isFrozen) await this.#freeze(first);
      else await this.#killForGood(first);
      const overlaps = new Set<string>();
      const watch = setInterval(() => {
        for (const part of this.#runningTwice()) overlaps.add(part);
      }, 100);
      this.#watches.push(watch);
      // What was done but had not come back is lost with the site; what was answered must not be done again.
      const answeredAtDeath = new Set(cloud.answers().map(({ token }) => token));
      const startsAtDeath = this.#dies.worked('start');
      const again = this.#resend(messages.filter(({ taskToken }) => !answeredAtDeath.has(taskToken)));
      const tokens = [...answeredAtDeath, ...again.map(({ taskToken }) => taskToken)];
      const answered = () => {
        const said = new Set(cloud.answers().map(({ token }) => token));
        return tokens.every((token) => said.has(token));
      };
      await untilOrTell('all answers', answered, PATIENCE_SECONDS, scene);
      const startsBefore = this.#dies.worked('start').length;
      const answersBefore = cloud.answers().length;
      if (this.#isFrozen) first.kill('SIGCONT');
      else this.#start(this.#dies);
      await sleep(RETURN_SECONDS * 1000);
      const returned = {
        starts: this.#dies.worked('start').length - startsBefore,
        answers: cloud.answers().length - answersBefore,
      };
      return await this.#assess(messages, answeredAtDeath, startsAtDeath, returned, overlaps);
    } finally {
      process.removeListener('exit', kill);
      for (const watch of this.#watches) clearInterval(watch);
      kill();
    }
  }

  #start(site: TestSite): AgentChild {
    const agent = new AgentChild(site);
    this.#agents.push(agent);
    return agent;
  }

  /** Where it is, but for the one thing that the real table does not know: a lock that a frozen process keeps. */
  async #freeze(agent: AgentChild): Promise<void> {
    await agent.freeze();
    while (!this.#leases.isFree()) {
      this.#freezesWithLock += 1;
      agent.kill('SIGCONT');
      await sleep(THAW_MILLISECONDS);
      await agent.freeze();
    }
  }

  /** The host and the nodes of the site go dark at once. */
  async #killForGood(agent: AgentChild): Promise<void> {
    agent.kill('SIGKILL');
    await agent.ended();
    const env = { ...process.env, SLURM_CONF: this.#cluster.confPath };
    const jobs = (await runProgram(['squeue', '-h', '-o', '%j'], { env })).split('\n');
    for (const name of new Set(jobs.filter((job) => job.endsWith(`-${this.#dies.configuration.site}`)))) {
      execFileSync('scancel', ['--signal=KILL', '--full', `--name=${name}`], { env });
      execFileSync('scancel', [`--name=${name}`], { env });
    }
  }

  /** What Step Functions does with a token that nobody beats for: it expires, and the job is sent again under another one. */
  #resend(messages: readonly JobMessage[]): readonly JobMessage[] {
    return messages.map((message) => {
      const again = { ...message, taskToken: `${message.taskToken}, again` };
      this.#dies.cloud.forget(message.taskToken);
      this.#dies.cloud.send(again);
      return again;
    });
  }

  async #assess(
    messages: readonly JobMessage[],
    answeredAtDeath: ReadonlySet<string>,
    startsAtDeath: readonly string[],
    returned: { readonly starts: number; readonly answers: number },
    overlaps: ReadonlySet<string>,
  ) {
    const { cloud } = this.#dies;
    const wrong: string[] = [];
    let [lost, duplicated, takenOver, doneAgain] = [0, 0, 0, 0];
    const compare = (what: string, found: number, expected: number) => {
      if (found === expected) return;
      wrong.push(`${what}: ${found} instead of ${expected}`);
      if (found < expected) lost += expected - found;
      else duplicated += found - expected;
    };
    compare('parts that ran at both sites at a time', overlaps.size, 0);
    compare('starts of the site that came back', returned.starts, 0);
    compare('answers of the site that came back', returned.answers, 0);
    const starts = this.#dies.worked('start');
    for (const message of messages) {
      const mine = cloud.answers().filter(({ token }) => token.startsWith(message.taskToken));
      compare(`answers for ${message.taskToken}`, mine.length, 1);
      const answer = jobAnswerSchema.safeParse(mine[0]?.body);
      const key = answer.success ? answer.data.result.key : `${message.outputPrefix}/missing`;
      const bytes = await cloud.lake.getBytes(key);
      const result = bytes && jobResultSchema.parse(JSON.parse(Buffer.from(bytes).toString()));
      const plan = await this.#plan(message);
      for (const partId of plan) {
        const times = (ids: readonly string[]) => ids.filter((id) => id === partId).length;
        compare(`outputs of ${partId}`, times(result ? result.outputs.map(({ unitId }) => unitId) : []), 1);
        const before = times(startsAtDeath);
        if (answeredAtDeath.has(message.taskToken)) compare(`starts of ${partId}`, times(starts), 1);
        else if (times(starts) > 2) compare(`starts of ${partId}`, times(starts), 2);
        doneAgain += before > 0 && times(starts) > before ? 1 : 0;
      }
      if (result?.site === this.#stays.configuration.site && !answeredAtDeath.has(message.taskToken)) takenOver += 1;
    }
    const counts = {
      'freezes done again, for they kept the lock of the lease table': this.#freezesWithLock,
      [this.#isFrozen ? 'sites frozen' : 'sites killed']: 1,
      'works fenced at the site that came back': this.#fenced(messages),
      works: messages.length,
      'works ended by the site that stayed, after the kill': takenOver,
      'parts started again that died with the site': doneAgain,
      lost,
      duplicated,
    };
    return { counts, wrong };
  }

  /** Whether jobs of the site that is to die are on their way. */
  #isBusy(): boolean {
    const isActive = (journal: Journal) =>
      journal.openWorks().some((work) => journal.tasks(work).some(({ state }) => state === 'active'));
    return Journal.read(this.#dies.configuration.journal, isActive);
  }

  /** Parts that were started by more than one process which is still there. */
  #runningTwice(): readonly string[] {
    const ended = new Set(this.#dies.worked('record'));
    const alive = this.#dies
      .startedBy()
      .filter(({ unitId, pid }) => !ended.has(unitId) && existsSync(`/proc/${pid}`))
      .map(({ unitId }) => unitId);
    return alive.filter((unitId, index) => alive.indexOf(unitId) !== index);
  }

  /** Works that the site which came back gave up, because another one has them. */
  #fenced(messages: readonly JobMessage[]): number {
    return Journal.read(
      this.#dies.configuration.journal,
      (journal) =>
        messages.filter(({ workKey }) => journal.events(workKey).some(({ event }) => event === 'Job:Fenced')).length,
    );
  }

  async #plan(message: JobMessage): Promise<readonly string[]> {
    if (message.kind !== 'estimate') return [];
    const bytes = await this.#dies.cloud.lake.getBytes(message.batch.key);
    const batch = batchSchema.parse(JSON.parse(Buffer.from(bytes ?? new Uint8Array()).toString()));
    return batch.parts.map(({ partId }) => partId);
  }
}
