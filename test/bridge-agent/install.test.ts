import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readAgentConfiguration } from '#bridge-agent/configuration.ts';
import { type Installation, install } from '#bridge-agent/install.ts';
import { ROOT } from '#cli/home.ts';
import { ponte } from '#test/e2e/verbs.ts';

describe('the installation of an agent', () => {
  let prefix = '';
  beforeEach(() => {
    prefix = mkdtempSync(join(tmpdir(), 'ponte-install-'));
  });
  afterEach(() => rmSync(prefix, { recursive: true }));

  const request = (changed: Partial<Installation> = {}): Installation => ({
    site: 'apollo',
    program: ROOT,
    python: process.execPath,
    scratch: '/scratch/ponte',
    journal: '/var/lib/ponte/journal.sqlite',
    region: 'us-east-1',
    queueUrl: 'https://sqs.us-east-1.amazonaws.com/1/jobs',
    lakeBucket: 'lake',
    user: 'ponte',
    prefix,
    replace: false,
    ...changed,
  });

  it('writes a configuration that the agent reads, with the limits of the site', async () => {
    const { configuration } = await install(request({ account: 'photoz', leaseTable: 'leases' }));

    expect(configuration).toBe(join(prefix, 'etc/ponte/apollo.json'));
    expect(await readAgentConfiguration(configuration)).toMatchObject({
      site: 'apollo',
      leaseTable: 'leases',
      scheduler: { kind: 'slurm', partition: 'cpu', account: 'photoz', accounting: true },
      limits: { maxTimeLimitMinutes: 720, memoryMb: 2140, minFreeInodes: 10_000 },
      jobFolder: join(ROOT, 'bridge-agent/job'),
    });
  });

  it('writes a unit that runs unprivileged and writes to scratch and the journal’s folder only', async () => {
    const { unit } = await install(request());

    const lines = readFileSync(unit, 'utf8').split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'User=ponte',
        'UMask=0077',
        'NoNewPrivileges=yes',
        'CapabilityBoundingSet=',
        'ProtectSystem=strict',
        'ReadWritePaths=/scratch/ponte /var/lib/ponte',
      ]),
    );
    const start = lines.find((line) => line.startsWith('ExecStart='))?.slice('ExecStart='.length) ?? '';
    // test/bridge-agent/bundle.test.ts starts it.
    expect(start).toBe(`${ROOT}/bin/ponte agent run --config /etc/ponte/apollo.json`);
  });

  it('lets the agent write to what it keeps where a site wants that', async () => {
    const { configuration, unit, missing } = await install(request({ keep: '/data/ponte' }));

    expect((await readAgentConfiguration(configuration)).keep).toBe('/data/ponte');
    expect(readFileSync(unit, 'utf8')).toContain('ReadWritePaths=/scratch/ponte /data/ponte /var/lib/ponte\n');
    expect(missing).toContain('/data/ponte is not there: make it, owned by the service user');
  });

  it('changes nothing when it is run again, and replaces another’s file only when asked to', async () => {
    const { configuration } = await install(request());
    await install(request());
    writeFileSync(configuration, '{}');

    await expect(install(request())).rejects.toMatchObject({ code: 'INSTALLATION_EXISTS' });
    expect(readFileSync(configuration, 'utf8')).toBe('{}');
    await install(request({ replace: true }));
    expect((await readAgentConfiguration(configuration)).site).toBe('apollo');
  });

  it('asks for the partition of a site that has not said it', async () => {
    await expect(install(request({ site: 'santos-dumont' }))).rejects.toThrow('names no partition');
    const { configuration } = await install(request({ site: 'santos-dumont', partition: 'sequana' }));
    expect(await readAgentConfiguration(configuration)).toMatchObject({ scheduler: { partition: 'sequana' } });
  });

  it.each([
    ['a site without a profile', { site: '../apollo' }, 'SITE_UNKNOWN'],
    ['root', { user: 'root' }, 'INSTALLATION_WRONG'],
    ['a user with a second line', { user: 'ponte\nExecStartPre=/bin/sh' }, 'INSTALLATION_WRONG'],
    ['a scratch that a shell would read', { scratch: '/scratch/$(id)' }, 'INSTALLATION_WRONG'],
    ['a partition that is an option', { partition: '--wrap=id' }, 'INSTALLATION_WRONG'],
  ])('refuses %s and writes nothing', async (_what, changed, code) => {
    await expect(install(request(changed))).rejects.toMatchObject({ code });
    expect(existsSync(join(prefix, 'etc'))).toBe(false);
  });

  it('says from the command line what is missing and what comes next', async () => {
    const { status, stdout } = await ponte(
      prefix,
      ...['agent', 'install', '--site', 'apollo', '--queue-url', request().queueUrl, '--lake-bucket', 'lake'],
      ...['--python', join(prefix, 'no-python'), '--scratch', prefix, '--prefix', prefix],
    );

    expect(status).toBe(0);
    expect(stdout).toContain(
      `missing: ${join(prefix, 'no-python')} is not there: build the RAIL environment there with`,
    );
    expect(stdout).not.toContain(`missing: ${prefix} is`);
    expect(stdout).toContain('next: ponte agent doctor --config');
  });
});
