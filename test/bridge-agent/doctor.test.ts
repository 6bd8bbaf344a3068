import { mkdirSync, readdirSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import type { AgentConfiguration } from '#bridge-agent/configuration.ts';
import { type DoctorParts, examine } from '#bridge-agent/doctor.ts';
import { TestSite } from '#test/bridge-agent/site.ts';

const sites: TestSite[] = [];
afterEach(() => {
  for (const site of sites.splice(0)) site.remove();
});

/** What the doctor finds wrong, by name, after `hurt` has changed the site's configuration or its surroundings. */
async function wrongWith(
  changes: Partial<AgentConfiguration> = {},
  hurt: (parts: DoctorParts, site: TestSite) => Partial<DoctorParts> = () => ({}),
): Promise<{ readonly wrong: Readonly<Record<string, string>>; readonly site: TestSite }> {
  const site = TestSite.create();
  sites.push(site);
  mkdirSync(site.configuration.scratch);
  const parts: DoctorParts = { ...site.parts(), cloudTime: async () => new Date() };
  const configuration = { ...site.configuration, ...changes };
  const findings = await examine(configuration, { ...parts, ...hurt(parts, site) });
  await parts.scheduler.close();
  expect(findings.map(({ name }) => name)).toEqual([
    ...['clock', 'queue', 'bucket', 'token call', 'scratch', ...(changes.keep === undefined ? [] : ['kept tables'])],
    ...['journal', 'scheduler', 'account', 'RAIL environment', 'one job'],
  ]);
  const ill = findings.filter(({ ok }) => !ok);
  return { wrong: Object.fromEntries(ill.map(({ name, said, mend }) => [name, `${said} -> ${mend}`])), site };
}

const refuse = async () => {
  throw new Error('AccessDenied: not authorized');
};

describe('the doctor of a site', () => {
  it('finds a healthy site well, with a real job, and leaves nothing behind', async () => {
    const { wrong, site } = await wrongWith();
    expect(wrong).toEqual({});
    expect(readdirSync(site.configuration.scratch)).toEqual([]);
    expect(site.cloud.queued()).toBe(0);
  });

  it('sees a clock that runs ahead', async () => {
    const late = async () => new Date(Date.now() - 400_000);
    const { wrong } = await wrongWith({}, () => ({ cloudTime: late }));
    expect(wrong).toEqual({ clock: expect.stringMatching(/400 s ahead .*-> .*NTP/) });
  });

  it.each([
    [
      'queue',
      'JobQueueUrl',
      (parts: DoctorParts) => ({ queue: Object.assign(Object.create(parts.queue), { waiting: refuse }) }),
    ],
    [
      'bucket',
      'LakeBucket',
      (parts: DoctorParts) => ({ lake: Object.assign(Object.create(parts.lake), { putBytes: refuse }) }),
    ],
    [
      'token call',
      'SendTaskHeartbeat',
      (parts: DoctorParts) => ({ callback: Object.assign(Object.create(parts.callback), { heartbeat: refuse }) }),
    ],
  ])('sees a %s that refuses this agent', async (name, mend, hurt) => {
    const { wrong } = await wrongWith({}, hurt);
    expect(Object.keys(wrong)).toEqual([name]);
    expect(wrong[name]).toMatch(new RegExp(`AccessDenied.*-> .*${mend}`));
  });

  it('sees scratch that is not there, and the job that cannot run for want of it', async () => {
    const { wrong } = await wrongWith({ scratch: '/nowhere/scratch' });
    expect(wrong.scratch).toMatch(/ENOENT.*-> Create \/nowhere\/scratch/);
    expect(wrong['one job']).toMatch(/ENOENT/);
  });

  it('sees scratch that is nearly full', async () => {
    const site = TestSite.create();
    sites.push(site);
    const limits = { ...site.configuration.limits, minFreeScratchMb: 1e12 };
    const { wrong } = await wrongWith({ limits });
    expect(wrong).toEqual({ scratch: expect.stringMatching(/minFreeScratchMb.*-> .*with room/) });
  });

  it('sees a place for copies that is not there', async () => {
    const { wrong } = await wrongWith({ keep: '/nowhere/kept' });
    expect(wrong).toEqual({ 'kept tables': expect.stringMatching(/ENOENT.*-> Create \/nowhere\/kept/) });
  });

  it('sees a journal that has no place to be', async () => {
    const { wrong } = await wrongWith({ journal: '/dev/null/ponte/agent.sqlite' });
    expect(wrong).toEqual({ journal: expect.stringMatching(/(ENOTDIR|EEXIST).*-> .*local disk/) });
  });

  it('sees a RAIL environment without the worker, on this host and on the node', async () => {
    const site = TestSite.create();
    sites.push(site);
    const { wrong } = await wrongWith({ worker: { ...site.configuration.worker, module: 'not_there' } });
    expect(wrong['RAIL environment']).toMatch(
      /^\S+ cannot import not_there: ModuleNotFoundError: .* -> Build it .*docs\/site\.md/,
    );
    expect(wrong['one job']).toMatch(/there is no module not_there.*-> Make scratch/);
    expect(Object.keys(wrong)).toHaveLength(2);
  });

  it('sees a scheduler that does not answer, and an account that it refuses', async () => {
    const { wrong } = await wrongWith({}, (parts) => ({
      scheduler: Object.assign(Object.create(parts.scheduler), {
        observe: async () => ({ kind: 'failed', reason: 'Unable to contact slurm controller' }),
        dryRun: async () => ({ accepted: false, reason: 'Invalid account or account/partition combination' }),
        submit: async () => ({ kind: 'rejected', permanent: true, reason: 'Invalid account' }),
        cancel: async () => undefined,
      }),
    }));
    expect(wrong.scheduler).toMatch(/Unable to contact.*-> .*munge/);
    expect(wrong.account).toMatch(/Invalid account.*-> .*sacctmgr/);
    expect(wrong['one job']).toMatch(/rejected: Invalid account/);
  });
});
