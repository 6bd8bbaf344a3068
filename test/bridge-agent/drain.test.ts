import { afterEach, describe, expect, it } from 'vitest';
import { drainAgent } from '#bridge-agent/drain.ts';
import { AgentChild } from '#test/bridge-agent/agent-child.ts';
import { TestSite, until } from '#test/bridge-agent/site.ts';

const sites: TestSite[] = [];
afterEach(async () => {
  for (const site of sites.splice(0)) {
    await until('no process left', () => site.processes().length === 0);
    site.remove();
  }
});

/** An agent with a running batch, and a second message that it has not taken because it is full. */
async function busyAgent(): Promise<{ readonly site: TestSite; readonly agent: AgentChild }> {
  const site = TestSite.create({ limits: { maxJobs: 1, tasksPerArray: 4 } });
  sites.push(site);
  site.cloud.send(await site.estimate('first', [{ seconds: 2 }, {}]));
  const agent = new AgentChild(site);
  await until('a running unit', () => site.worked('start').length > 0);
  site.cloud.send(await site.estimate('second', [{}]));
  return { site, agent };
}

function assess(site: TestSite): void {
  expect(site.cloud.answers()).toMatchObject([{ token: 'token of first', kind: 'success', body: { units: 2 } }]);
  expect(site.worked('record')).toHaveLength(2);
  expect(site.cloud.queued()).toBe(1);
}

describe('an agent that drains finishes what it took, leaves the rest in the queue, and ends', () => {
  it('when ponte agent drain asks; who asks waits, and hears what is open', async () => {
    const { site, agent } = await busyAgent();
    const open: number[] = [];

    expect(await drainAgent(site.configuration, (works) => open.push(works))).toBe(true);

    expect(await agent.ended()).toBe(0);
    expect(open[0]).toBe(1);
    assess(site);
    // Nobody is left to ask.
    expect(await drainAgent(site.configuration, () => {})).toBe(false);
  });

  it('at SIGTERM', async () => {
    const { site, agent } = await busyAgent();
    agent.kill('SIGTERM');
    expect(await agent.ended()).toBe(0);
    assess(site);
  });

  it('but stops at once at SIGINT, and its successor is not asked to drain by what was asked of it', async () => {
    const { site, agent } = await busyAgent();
    agent.kill('SIGINT');
    expect(await agent.ended()).toBe(0);
    expect(site.cloud.answers()).toEqual([]);

    const successor = new AgentChild(site);
    await until('both answers', () => site.cloud.answers().length === 2);
    successor.kill('SIGTERM');
    expect(await successor.ended()).toBe(0);
  });
});
