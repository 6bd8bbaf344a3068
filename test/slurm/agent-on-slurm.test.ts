import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Journal } from '#adapters/journal.ts';
import { sha256 } from '#core/digest.ts';
import type { JobMessage } from '#core/job.ts';
import type { SlurmHandle } from '#local/slurm.ts';
import { AgentChild } from '#test/bridge-agent/agent-child.ts';
import { type OrderedUnit, TestSite, until } from '#test/bridge-agent/site.ts';
import { noSlurm, startTestCluster, stopTestCluster } from '#test/slurm/slurm-cluster.ts';

/** Slurm's own waits (MessageTimeout, our 25 s before a job counts as lost) decide how long this takes. */
const PATIENCE_SECONDS = 80;

describe.skipIf(noSlurm !== null)(`the agent on real Slurm${noSlurm === null ? '' : ` (skipped: ${noSlurm})`}`, () => {
  let cluster: SlurmHandle;
  const sites: TestSite[] = [];
  const agents: AgentChild[] = [];
  beforeAll(async () => {
    cluster = await startTestCluster();
  });
  afterEach(async () => {
    for (const agent of agents.splice(0)) agent.kill('SIGKILL');
    await cluster.start();
    for (const site of sites.splice(0)) {
      await until('no process left', () => site.processes().length === 0);
      site.remove();
    }
  });
  afterAll(stopTestCluster);

  async function prepare(
    units: readonly OrderedUnit[],
    shape: 'array' | 'allocation' = 'array',
  ): Promise<{ site: TestSite; message: JobMessage }> {
    const site = TestSite.create({
      scheduler: { kind: 'slurm', partition: cluster.partition, slurmConf: cluster.confPath, accounting: false, shape },
      limits: { tasksPerArray: 4, memoryMb: 100, timeLimitMinutes: 5 },
      intervals: { reconcileSeconds: 0.5, heartbeatSeconds: 1, claimHeartbeatSeconds: 0.3, claimStaleSeconds: 3 },
    });
    sites.push(site);
    const message = await site.estimate('batch', units);
    site.cloud.send(message);
    return { site, message };
  }
  function startAgent(site: TestSite, killAt?: string): AgentChild {
    const agent = new AgentChild(site, killAt);
    agents.push(agent);
    return agent;
  }
  async function assess(site: TestSite, units: number): Promise<void> {
    await until('an answer', () => site.cloud.answers().length > 0, PATIENCE_SECONDS);
    expect(site.cloud.answers()).toMatchObject([{ kind: 'success', body: { units, failedUnits: 0 } }]);
    expect(site.worked('record')).toHaveLength(units);
  }

  it('runs a batch as one job array', async () => {
    const { site } = await prepare(Array(9).fill({}));
    startAgent(site);
    await assess(site, 9);
    expect(site.worked('start')).toHaveLength(9);
  }, 100_000);

  it('runs a batch as one large allocation, whose workers share the tasks, and again what one of them lost', async () => {
    const { site } = await prepare([...Array(6).fill({}), { behave: 'crash-once' }], 'allocation');
    startAgent(site);
    await assess(site, 7);
    const submissions = Journal.read(site.configuration.journal, (journal) =>
      journal.submissions({ work_key: sha256('work batch'), round: 1 }),
    );
    expect(submissions.map(({ tasks }) => tasks.length)).toEqual([4, 1]);
    expect(new Set(submissions.map(({ job_id }) => job_id)).size).toBe(2);
  }, 100_000);

  it('killed between the acknowledgement of sbatch and its own commit, adopts the job by its name', async () => {
    const { site } = await prepare([{ seconds: 2 }, { seconds: 2 }]);
    expect(await startAgent(site, 'Scheduler:Answered').ended()).toBe('SIGKILL');
    startAgent(site);
    await assess(site, 2);
    expect(site.worked('start')).toHaveLength(2);
  }, 100_000);

  it('waits through a frozen controller, in which its submission got lost or not', async () => {
    const { site } = await prepare([{ seconds: 1 }, {}, {}]);
    const controller = cluster.daemons.controller.freeze();
    startAgent(site);
    // Longer than the 10 s after which sbatch gives up.
    await sleep(14_000);
    controller.thaw();
    await assess(site, 3);
    expect(site.worked('start')).toHaveLength(3);
  }, 120_000);

  it('keeps a task that runs on behind a dead slurmd', async () => {
    const { site } = await prepare([{ seconds: 4 }]);
    startAgent(site);
    await until('a running unit', () => site.worked('start').length === 1);
    for (const node of cluster.daemons.nodes) await node.kill();
    await assess(site, 1);
    expect(site.worked('start')).toHaveLength(1);
  }, 100_000);

  it('gets through a controller that was killed and forgot what it had just acknowledged', async () => {
    // The controller saves its state every 5 s. What it has not saved of an earlier test would come back as a ghost that
    // holds its cores for 100 s: a fault, but not the one that is meant here.
    await sleep(7000);
    const { site } = await prepare([{ seconds: 1 }, { seconds: 1 }, {}, {}]);
    startAgent(site);
    await until('a submission', () => site.submitted());
    await cluster.daemons.controller.kill();
    await sleep(1000);
    await cluster.start();
    await assess(site, 4);
  }, 120_000);

  it('cancels the array when nobody waits any more', async () => {
    const { site, message } = await prepare([{ seconds: 60 }, { seconds: 60 }]);
    startAgent(site);
    await until('running units', () => site.worked('start').length === 2);
    site.cloud.forget(message.taskToken);
    await until('no process of the job', () => site.processes().every((line) => line.includes('agent-process')), 40);
    expect(site.worked('record')).toEqual([]);
  }, 100_000);
});
