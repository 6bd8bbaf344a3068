import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { Journal } from '#adapters/journal.ts';
import { runAgentWith } from '#bridge-agent/daemon.ts';
import { type JobMessage, jobResultSchema } from '#core/job.ts';
import { AgentChild } from '#test/bridge-agent/agent-child.ts';
import { FAULT_POINTS } from '#test/bridge-agent/fault-points.ts';
import { TestSite, until } from '#test/bridge-agent/site.ts';

const sites: TestSite[] = [];
afterEach(async () => {
  for (const site of sites.splice(0)) {
    await until('no process left', () => site.processes().length === 0);
    site.remove();
  }
});

/** One batch that meets everything: units that fail in each way, repeated messages, a second token. */
async function prepare(): Promise<{ readonly site: TestSite; readonly message: JobMessage }> {
  const site = TestSite.create({
    limits: { tasksPerArray: 3 },
    intervals: { reconcileSeconds: 0.1, heartbeatSeconds: 0.2, claimHeartbeatSeconds: 0.2, claimStaleSeconds: 1 },
  });
  sites.push(site);
  const units = [{}, {}, { behave: 'flaky' as const }, {}, { behave: 'science' as const }, { seconds: 0.3 }];
  const message = await site.estimate('batch', [...units, { behave: 'crash-once' as const }]);
  for (let copy = 0; copy < 3; copy += 1) site.cloud.send(message);
  site.cloud.send({ ...message, taskToken: 'second token' });
  return { site, message };
}

const isOver = (site: TestSite) => site.cloud.answers().length >= 2 && site.cloud.queued() === 0;

/** What must hold whatever happened on the way. */
async function assess(site: TestSite, message: JobMessage): Promise<void> {
  const answers = site.cloud.answers();
  expect(answers.map(({ token }) => token).sort()).toEqual(['second token', message.taskToken]);
  for (const answer of answers) {
    expect(answer).toMatchObject({ kind: 'success', body: { units: 7, failedUnits: 1, rows: 7 * 13 - 14 } });
  }
  const bytes = await site.cloud.lake.getBytes(`${message.outputPrefix}/result.json`);
  const result = jobResultSchema.parse(JSON.parse(Buffer.from(bytes ?? new Uint8Array()).toString()));
  expect(new Set(result.outputs.map(({ unitId }) => unitId)).size).toBe(6);
  // Each unit once; the flaky one twice, as two attempts; the one that died has one record of two starts.
  expect(site.worked('record')).toHaveLength(8);
  expect(site.worked('start')).toHaveLength(9);
  const journal = new Journal({ path: site.configuration.journal, clock: { now: () => new Date() } });
  const events = journal.events(message.workKey).map(({ event }) => event);
  journal.close();
  expect(events.filter((event) => event === 'Job:Done')).toHaveLength(1);
}

describe('the agent survives SIGKILL', () => {
  it('has no other fault points than these', async () => {
    const { site, message } = await prepare();
    const seen = new Set<string>();
    const stop = new AbortController();
    const parts = site.parts((name) => {
      seen.add(name);
    });
    const agent = runAgentWith(parts, site.configuration, stop.signal);
    await until('the answers', () => isOver(site));
    stop.abort();
    await agent;
    await assess(site, message);
    expect([...seen].sort()).toEqual(FAULT_POINTS);
  });

  it.each(FAULT_POINTS)('at %s', async (faultPoint) => {
    const { site, message } = await prepare();
    expect(await new AgentChild(site, faultPoint).ended()).toBe('SIGKILL');

    const successor = new AgentChild(site);
    await until('the answers', () => isOver(site));
    successor.kill('SIGTERM');

    expect(await successor.ended()).toBe(0);
    await assess(site, message);
  });

  it('again and again, at any moment', async () => {
    const { site, message } = await prepare();
    let kills = 0;
    for (let lifetime = 300; !isOver(site); lifetime += 60) {
      const agent = new AgentChild(site);
      await sleep(lifetime);
      agent.kill('SIGKILL');
      expect(await agent.ended()).toBe('SIGKILL');
      kills += 1;
    }
    await assess(site, message);
    expect(kills).toBeGreaterThan(2);
  }, 120_000);
});
