import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { Journal } from '#adapters/journal.ts';
import { runAgentWith } from '#bridge-agent/daemon.ts';
import { TestSite, until } from '#test/bridge-agent/site.ts';

/** Undone in reverse, whatever the test came to. */
const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
});

function newSite(overrides: Parameters<typeof TestSite.create>[0] = {}): TestSite {
  const site = TestSite.create(overrides);
  undo.push(() => site.remove());
  return site;
}

/** Null when this user may mount, else why not. */
function whyNoMounts(): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'ponte-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'ponte-test', folder], { stdio: 'ignore' });
    execFileSync('umount', [folder]);
    return null;
  } catch {
    return 'this user may not mount a small file system';
  } finally {
    rmSync(folder, { recursive: true });
  }
}
const noMounts = whyNoMounts();

/** Puts a small file system under a folder of the site. */
function mountSmall(path: string, options: string): void {
  mkdirSync(path, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'ponte-test', path]);
  undo.push(() => execFileSync('umount', ['-l', path]));
}

describe.skipIf(noMounts !== null)(
  `a scratch without room${noMounts === null ? '' : ` (skipped: ${noMounts})`}`,
  () => {
    it.each([
      ['bytes', 'size=2m', 100],
      ['inodes', 'size=64m,nr_inodes=60', 100],
    ])('of %s: nothing is taken, and the work goes on when there is room again', async (what, options, filler) => {
      const site = newSite({ limits: { tasksPerArray: 2, minFreeScratchMb: 1, minFreeInodes: 30 } });
      const scratch = site.configuration.scratch;
      mountSmall(scratch, options);
      const files = Array.from({ length: filler }, (_, index) => join(scratch, `filler-${index}`));
      const written = files.filter((path) => {
        try {
          writeFileSync(path, Buffer.alloc(what === 'bytes' ? 100_000 : 1));
          return true;
        } catch {
          return false;
        }
      });
      expect(written.length).toBeLessThan(filler);
      // The agent's own folders need an inode each.
      for (const path of written.splice(0, 4)) rmSync(path, { force: true });
      site.cloud.send(await site.estimate('batch', [{}, {}]));
      const stop = new AbortController();
      const agent = runAgentWith(site.parts(), site.configuration, stop.signal);

      await sleep(1500);
      expect(site.cloud.queued()).toBe(1);
      expect(site.cloud.answers()).toEqual([]);

      for (const path of files) rmSync(path, { force: true });
      await until('an answer', () => site.cloud.answers().length > 0);
      stop.abort();
      await agent;
      expect(site.cloud.answers()).toMatchObject([{ kind: 'success', body: { units: 2, failedUnits: 0 } }]);
      expect(site.worked('start')).toHaveLength(2);
    });

    it('in the middle of the staging: it waits, says why, and goes on', async () => {
      const site = newSite({ limits: { minFreeScratchMb: 0, minFreeInodes: 0 } });
      mountSmall(site.configuration.scratch, 'size=1m');
      const filler = join(site.configuration.scratch, 'filler');
      const message = await site.estimate('batch', [{}, {}]);
      const stop = new AbortController();
      const agent = runAgentWith(site.parts(), site.configuration, stop.signal);
      await until('an agent', () => site.processes !== undefined);
      try {
        writeFileSync(filler, Buffer.alloc(2_000_000));
      } catch {
        // It is full now, which is what was wanted.
      }
      site.cloud.send(message);
      await until('a postponed job', () => eventsOf(site, message.workKey).includes('Job:Postponed'));
      rmSync(filler);
      await until('an answer', () => site.cloud.answers().length > 0);
      stop.abort();
      await agent;
      expect(site.cloud.answers()).toMatchObject([{ kind: 'success', body: { failedUnits: 0 } }]);
      expect(site.worked('start')).toHaveLength(2);
    });
  },
);

function eventsOf(site: TestSite, workKey: Parameters<Journal['events']>[0]): readonly string[] {
  return Journal.read(site.configuration.journal, (journal) => journal.events(workKey).map(({ event }) => event));
}

describe('a clock that jumps', () => {
  it.each([
    ['a day ahead', 86_400_000],
    ['a day back', -86_400_000],
  ])('%s: the work ends once, with one answer', async (_what, jump) => {
    const site = newSite();
    site.cloud.send(await site.estimate('batch', [{ seconds: 1 }, {}, { behave: 'flaky' }]));
    let offset = 0;
    const clock = { now: () => new Date(Date.now() + offset) };
    const stop = new AbortController();
    const agent = runAgentWith({ ...site.parts(), clock }, site.configuration, stop.signal);
    await until('a running unit', () => site.worked('start').length > 0);
    offset = jump;
    await until('an answer', () => site.cloud.answers().length > 0);
    stop.abort();
    await agent;
    expect(site.cloud.answers()).toMatchObject([{ kind: 'success', body: { units: 3, failedUnits: 0 } }]);
    // The flaky one is tried twice.
    expect(site.worked('start')).toHaveLength(4);
  });
});

describe('a controller that is away for ten minutes', () => {
  it('loses nothing and starts nothing twice; the work still counts as alive', async () => {
    const site = newSite();
    const message = await site.estimate('batch', [{ seconds: 3 }, {}]);
    site.cloud.send(message);
    let offset = 0;
    let away = false;
    let looks = 0;
    const parts = site.parts();
    const observe = parts.scheduler.observe.bind(parts.scheduler);
    parts.scheduler.observe = async (names, since) => {
      if (!away) return observe(names, since);
      looks += 1;
      return { kind: 'failed', reason: 'slurm_load_jobs error: Unable to contact slurm controller' };
    };
    const clock = { now: () => new Date(Date.now() + offset) };
    const stop = new AbortController();
    const agent = runAgentWith({ ...parts, clock }, site.configuration, stop.signal);
    await until('running units', () => site.worked('start').length === 2);
    away = true;
    const beats = site.cloud.heartbeats(message.taskToken);
    offset = 600_000;
    await until('looks that fail', () => looks > 5);
    expect(site.cloud.heartbeats(message.taskToken)).toBeGreaterThan(beats);
    expect(eventsOf(site, message.workKey)).not.toContain('Task:Lost');
    away = false;
    await until('an answer', () => site.cloud.answers().length > 0);
    stop.abort();
    await agent;
    expect(site.cloud.answers()).toMatchObject([{ kind: 'success', body: { units: 2, failedUnits: 0 } }]);
    expect(site.worked('start')).toHaveLength(2);
  });
});

describe('a token that was answered before', () => {
  it('is told once, and the work counts as done', async () => {
    const site = newSite({ intervals: { reconcileSeconds: 0.1, heartbeatSeconds: 60 } });
    const message = await site.estimate('batch', [{ seconds: 0.5 }]);
    site.cloud.send(message);
    const stop = new AbortController();
    const agent = runAgentWith(site.parts(), site.configuration, stop.signal);
    await until('a running unit', () => site.worked('start').length === 1);
    site.cloud.forget(message.taskToken);
    await until('the refusal of the answer', () => eventsOf(site, message.workKey).includes('Reply:Unwanted'));
    stop.abort();
    await agent;
    expect(eventsOf(site, message.workKey).filter((event) => event.startsWith('Reply:'))).toEqual(['Reply:Unwanted']);
    expect(site.cloud.answers()).toEqual([]);
  });
});

describe('the limits of a site', () => {
  it('refuse a campaign that has used its core-hours here, and nothing that was taken before', async () => {
    const site = newSite({ limits: { maxCoreHoursPerCampaign: 0.00001 } });
    site.cloud.send(await site.estimate('first', [{ seconds: 0.2 }]));
    const stop = new AbortController();
    const agent = runAgentWith(site.parts(), site.configuration, stop.signal);
    await until('an answer', () => site.cloud.answers().length === 1);
    site.cloud.send(await site.estimate('second', [{}]));
    await until('a refusal', () => site.cloud.answers().length === 2);
    stop.abort();
    await agent;
    expect(site.cloud.answers()).toMatchObject([
      { kind: 'success' },
      { kind: 'failure', body: { error: 'JobRefused', cause: expect.stringContaining('core-hours at test') } },
    ]);
  });

  it('leave in the queue what asks for more cores than there are', async () => {
    const site = newSite({ limits: { tasksPerArray: 2, maxCores: 2 } });
    site.cloud.send(await site.estimate('first', [{ seconds: 2 }, { seconds: 2 }]));
    const stop = new AbortController();
    const agent = runAgentWith(site.parts(), site.configuration, stop.signal);
    await until('two running units', () => site.worked('start').length === 2);
    site.cloud.send(await site.estimate('second', [{}]));
    await sleep(1000);
    expect(site.cloud.queued()).toBe(1);
    await until('both answers', () => site.cloud.answers().length === 2);
    stop.abort();
    await agent;
  });

  it.each([
    ['works', { maxJobsPerCampaign: 1 }, 'limits.maxJobsPerCampaign: 1 works of test are open'],
    ['cores', { maxCoresPerCampaign: 2 }, 'limits.maxCoresPerCampaign: test asks for 2'],
    ['scratch', { maxScratchMbPerCampaign: 0.0001 }, 'limits.maxScratchMbPerCampaign: test uses 0 MB'],
  ])('give back what is beyond a campaign’s share of %s, and take another campaign’s', async (_what, share, why) => {
    const site = newSite({
      limits: { tasksPerArray: 2, ...share },
      intervals: { reconcileSeconds: 0.1, heartbeatSeconds: 0.2, claimHeartbeatSeconds: 0.2, giveBackSeconds: 1 },
    });
    site.cloud.send(await site.estimate('first', [{ seconds: 3 }, { seconds: 3 }]));
    const stop = new AbortController();
    const said: string[] = [];
    const log = pino({ level: 'info' }, { write: (line: string) => said.push(line) });
    const agent = runAgentWith({ ...site.parts(), log }, site.configuration, stop.signal);
    await until('two running units', () => site.worked('start').length === 2);
    const second = await site.estimate('second', [{}]);
    site.cloud.send(second);
    site.cloud.send({ ...(await site.estimate('other', [{}])), campaign: 'another' });
    await until('the answer to the other campaign', () => site.cloud.answers().length === 1);
    expect(site.cloud.answers()).toMatchObject([{ token: 'token of other', kind: 'success' }]);
    expect(eventsOf(site, second.workKey)).toEqual([]);
    expect(site.cloud.queued()).toBe(1);
    expect(said.join('')).toContain(why);
    await until('all answers', () => site.cloud.answers().length === 3);
    stop.abort();
    await agent;
    expect(site.worked('start')).toHaveLength(4);
    expect(site.cloud.queued()).toBe(0);
  });

  it('leave all in the queue while the open works take as much of scratch as they may', async () => {
    const site = newSite({
      limits: { tasksPerArray: 2, maxScratchMb: 0.0001 },
      intervals: { reconcileSeconds: 0.1, heartbeatSeconds: 0.2, claimHeartbeatSeconds: 0.2, giveBackSeconds: 1 },
    });
    site.cloud.send(await site.estimate('first', [{ seconds: 2 }]));
    const stop = new AbortController();
    const agent = runAgentWith(site.parts(), site.configuration, stop.signal);
    await until('a running unit', () => site.worked('start').length === 1);
    site.cloud.send({ ...(await site.estimate('second', [{}])), campaign: 'another' });
    await sleep(1000);
    expect(site.cloud.queued()).toBe(1);
    await until('both answers', () => site.cloud.answers().length === 2);
    stop.abort();
    await agent;
  });
});
