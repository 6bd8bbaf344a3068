import { rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Journal } from '#adapters/journal.ts';
import { readMeasurements } from '#bridge-agent/profile.ts';
import { sha256 } from '#core/digest.ts';
import { jobResultSchema } from '#core/job.ts';
import { run } from '#local/process.ts';
import type { SlurmHandle } from '#local/slurm.ts';
import { AgentChild } from '#test/bridge-agent/agent-child.ts';
import { type OrderedUnit, TestSite, until } from '#test/bridge-agent/site.ts';
import { noSlurm, startTestCluster, stopTestCluster } from '#test/slurm/slurm-cluster.ts';

/** A time limit is at least a minute, and Slurm looks at it every half minute. */
const PATIENCE_SECONDS = 300;

/** Ten minutes are too long for every run. */
const isLong = process.env.PONTE_LONG_TESTS === '1';

describe.skipIf(noSlurm !== null)(
  `nodes and limits of a real Slurm${noSlurm === null ? '' : ` (skipped: ${noSlurm})`}`,
  () => {
    let cluster: SlurmHandle;
    let site: TestSite;
    let agent: AgentChild;
    beforeAll(async () => {
      cluster = await startTestCluster();
    });
    afterEach(async () => {
      agent.kill('SIGKILL');
      await until('no process left', () => site.processes().length === 0);
      site.remove();
    });
    afterAll(stopTestCluster);

    const slurm = (...command: [string, ...string[]]) =>
      run(command, { env: { ...process.env, SLURM_CONF: cluster.confPath } });

    async function start(units: readonly OrderedUnit[], shape: 'array' | 'allocation', limits = {}): Promise<void> {
      site = TestSite.create({
        scheduler: {
          kind: 'slurm',
          partition: cluster.partition,
          slurmConf: cluster.confPath,
          accounting: false,
          shape,
        },
        limits: { tasksPerArray: 2, memoryMb: 100, timeLimitMinutes: 5, ...limits },
        intervals: { reconcileSeconds: 0.5, heartbeatSeconds: 1, claimHeartbeatSeconds: 0.3, claimStaleSeconds: 3 },
      });
      site.cloud.send(await site.estimate('batch', units));
      agent = new AgentChild(site);
    }
    const isHalfDone = () => site.worked('start').length === 4 && site.worked('record').length === 2;
    const answered = () => until('an answer', () => site.cloud.answers().length > 0, PATIENCE_SECONDS);
    /** As an administrator does; of a node that is well already Slurm calls it invalid. */
    const resume = (node: string) => slurm('scontrol', 'update', `NodeName=${node}`, 'State=RESUME').catch(() => '');
    async function untilAsync(what: string, condition: () => Promise<boolean>): Promise<void> {
      for (let look = 0; look < 300; look += 1) {
        if (await condition()) return;
        await sleep(200);
      }
      throw new Error(`waited in vain for: ${what}`);
    }
    const submissions = () =>
      Journal.read(site.configuration.journal, (journal) =>
        journal.submissions({ work_key: sha256('work batch'), round: 1 }),
      );

    it('what the infrastructure failed is tried again on another node', async () => {
      await start([{ behave: 'flaky' }], 'array');
      await answered();
      expect(site.cloud.answers()).toMatchObject([{ kind: 'success', body: { units: 1, failedUnits: 0 } }]);
      const tries = [...readMeasurements(site.configuration, 'test')].sort((a, b) => a.attempt - b.attempt);
      expect(tries.map(({ outcome }) => outcome)).toEqual(['failed', 'succeeded']);
      // Both nodes are idle, so without the exclusion Slurm would choose the same one again.
      expect(tries.map(({ node }) => node)).toEqual(['n1', 'n2']);
    }, 100_000);

    it('an allocation that lost its node is queued again by Slurm, and does only what was not done', async () => {
      await start([{}, {}, { seconds: 8 }, { seconds: 8 }], 'allocation', { tasksPerArray: 4 });
      await until('what is short is done, what is long runs', () => isHalfDone(), 40);
      const jobId = submissions()[0]?.job_id ?? '';
      const node = (await slurm('squeue', '-h', '-j', jobId, '-o', '%N')).trim();
      await slurm('scontrol', 'update', `NodeName=${node}`, 'State=DOWN', 'Reason=test');
      try {
        await answered();
      } finally {
        await resume(node);
      }
      expect(site.cloud.answers()).toMatchObject([{ kind: 'success', body: { units: 4, failedUnits: 0 } }]);
      expect(submissions().map(({ job_id }) => job_id)).toEqual([jobId]);
      expect(site.worked('start')).toHaveLength(6);
      expect(site.worked('record')).toHaveLength(4);
    }, 400_000);

    it('tasks that a more urgent job sent back to the queue run again as the same job, without costing a try', async () => {
      await start([{}, {}, { seconds: 8 }, { seconds: 8 }], 'array', { tasksPerArray: 4 });
      await until('what is short is done, what is long runs', () => isHalfDone(), 40);
      const urgent = ['--wrap=sleep 2', `--partition=${cluster.urgentPartition}`, '--nodes=2', '--exclusive'];
      await slurm('sbatch', '--parsable', '--job-name=urgent', '--output=/dev/null', '--chdir=/tmp', ...urgent);
      await answered();
      expect(site.cloud.answers()).toMatchObject([{ kind: 'success', body: { units: 4, failedUnits: 0 } }]);
      expect(submissions()).toHaveLength(1);
      expect(site.worked('start')).toHaveLength(6);
      expect(site.worked('record')).toHaveLength(4);
      expect(readMeasurements(site.configuration, 'test').map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1]);
    }, 400_000);

    it('a task that Slurm holds after a launch that failed is released, and its node is left to the administrator', async () => {
      writeFileSync(cluster.prologFails, '');
      try {
        await start([{}], 'array', { tasksPerArray: 1 });
        const held = async () => (await slurm('squeue', '-h', '-o', '%j %r')).includes('launch failed requeued held');
        await untilAsync('a held task', held);
      } finally {
        rmSync(cluster.prologFails, { force: true });
        for (const node of ['n1', 'n2']) await resume(node);
      }
      await answered();
      expect(site.cloud.answers()).toMatchObject([{ kind: 'success', body: { units: 1, failedUnits: 0 } }]);
      expect(submissions()).toHaveLength(1);
      expect(site.worked('start')).toHaveLength(1);
      const events = Journal.read(site.configuration.journal, (journal) => journal.events(sha256('work batch')));
      expect(events.map(({ event }) => event)).toContain('Task:Released');
    }, 400_000);

    it.each([
      { what: 'a minute', seconds: 60 },
      ...(isLong ? [{ what: 'ten minutes', seconds: 600 }] : []),
    ])('a controller that is frozen for $what: nothing is lost, nothing starts twice', async ({ seconds }) => {
      await start([{ seconds: 5 }, { seconds: 5 }, {}, {}], 'array');
      await until('a running unit', () => site.worked('start').length > 0, 40);
      const controller = cluster.daemons.controller.freeze();
      await sleep(seconds * 1000);
      // It is not known to have ended, and was not given up.
      expect(site.cloud.answers().filter(({ kind }) => kind === 'failure')).toEqual([]);
      controller.thaw();
      await answered();
      expect(site.cloud.answers()).toMatchObject([{ kind: 'success', body: { units: 4, failedUnits: 0 } }]);
      expect(site.worked('start')).toHaveLength(4);
      expect(submissions()).toHaveLength(1);
    }, 1_000_000);

    it('a part that ran out of time at the cap fails with the name of the cap, and alone', async () => {
      await start([{}, { seconds: 600 }], 'array', { timeLimitMinutes: 1, maxTimeLimitMinutes: 1 });
      await answered();
      expect(site.cloud.answers()).toMatchObject([{ kind: 'success', body: { units: 2, failedUnits: 1 } }]);
      const bytes = await site.cloud.lake.getBytes('work/batch/result.json');
      const { records } = jobResultSchema.parse(JSON.parse(Buffer.from(bytes ?? new Uint8Array()).toString()));
      const [lost] = records.filter(({ outcome }) => outcome === 'failed');
      expect(lost?.error?.code).toBe('TASK_LOST');
      expect(lost?.error?.message).toContain('as timeout');
      expect(lost?.error?.message).toContain('it needs longer than limits.maxTimeLimitMinutes (1 min) of this site');
      expect(submissions()).toHaveLength(1);
    }, 400_000);
  },
);
