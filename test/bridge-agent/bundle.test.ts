import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeAgentBundle } from '#local/agent-bundle.ts';

/** The uid of "nobody": as root we can become him, else we are somebody unprivileged already. */
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

describe('the bundle for a site', () => {
  let folder: string;
  let program: string;
  let archive: string;
  let sha256: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ponte-bundle-'));
    chmodSync(folder, 0o755);
    ({ archive, sha256 } = await makeAgentBundle(join(folder, 'out')));
    execFileSync('tar', ['xzf', archive, '-C', folder]);
    program = join(folder, basename(archive, '.tar.gz'));
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** As the service's user, without anything of ours on the PATH. */
  const asUser = (command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
    spawnSync(command, args, {
      encoding: 'utf8',
      cwd: '/',
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', ...env },
      ...(isRoot ? { uid: NOBODY, gid: NOBODY } : {}),
    });

  it('has a digest for every file, and the same bytes when it is made again', async () => {
    execFileSync('sha256sum', ['-c', '--quiet', 'SHA256SUMS'], { cwd: program });
    expect(readFileSync(`${archive}.sha256`, 'utf8')).toContain(sha256);
    expect((await makeAgentBundle(join(folder, 'again'))).sha256).toBe(sha256);
    const listing = execFileSync('tar', ['tzf', archive], { encoding: 'utf8' });
    expect(listing).not.toMatch(/__pycache__|\.pyc|node_modules/);
  }, 120_000);

  it('installs and starts the agent as an unprivileged user, from where a link to it stands', () => {
    const home = join(folder, 'home');
    mkdirSync(home);
    if (isRoot) chownSync(home, NOBODY, NOBODY);
    symlinkSync(join(program, 'bin', 'ponte'), join(folder, 'ponte'));
    const installed = asUser(join(folder, 'ponte'), [
      ...['agent', 'install', '--site', 'apollo', '--queue-url', 'https://sqs.us-east-1.amazonaws.com/1/jobs'],
      ...['--lake-bucket', 'lake', '--python', '/usr/bin/python3', '--scratch', home, '--prefix', home],
      ...['--journal', join(home, 'journal.sqlite'), '--json'],
    ]);
    expect(installed.stderr).toBe('');
    const { configuration, unit, missing } = JSON.parse(installed.stdout);
    expect(missing).toEqual([]);
    expect(readFileSync(unit, 'utf8')).toContain(
      `ExecStart=${program}/bin/ponte agent run --config /etc/ponte/apollo.json`,
    );
    // What the unit starts is there, reads that configuration, opens its journal, and ends when there is nothing to do.
    const started = asUser(join(program, 'bin', 'ponte'), ['agent', 'run', '--config', configuration, '--drain']);
    expect(started.status, started.stderr).toBe(0);
    expect(started.stdout).toContain('the agent of apollo has stopped');
    expect(existsSync(join(home, 'journal.sqlite'))).toBe(true);
    const other = asUser(join(program, 'bin', 'ponte'), ['agent', 'run', '--config', join(home, 'nowhere.json')]);
    expect(other.status).toBe(1);
    expect(other.stderr).toContain('cannot read the agent');
  }, 60_000);

  it('says what is wrong before it builds the environment of RAIL', () => {
    const script = join(program, 'install-rail.sh');
    const relative = asUser(script, ['rail']);
    expect([relative.status, relative.stderr]).toEqual([1, expect.stringContaining('which folder?')]);
    const old = asUser(script, ['/tmp/rail', '/bin/false']);
    expect([old.status, old.stderr]).toEqual([1, expect.stringContaining('/bin/false is not a Python 3.11 or newer')]);
    const other = join(folder, 'other');
    mkdirSync(other);
    writeFileSync(join(other, 'thesis.tex'), '');
    const taken = asUser(script, [other, 'python3']);
    expect([taken.status, taken.stderr]).toEqual([1, expect.stringContaining('is no Python environment')]);
    expect(existsSync(join(other, 'thesis.tex'))).toBe(true);
  });

  it('runs the interpreter of an Apptainer image with what the site names, and itself inside of it', () => {
    const place = join(folder, 'in-apptainer');
    cpSync(join(program, 'rail-in-apptainer.sh'), join(place, 'python'));
    const none = asUser(join(place, 'python'), ['-I', 'job.py']);
    expect([none.status, none.stderr]).toEqual([69, expect.stringContaining('there is no image: (none named)')]);

    // This machine has no Apptainer: a program in its place says what it was asked for.
    writeFileSync(join(place, 'apptainer'), `#!/bin/sh\nprintf '%s\\n' "$@"\n`, { mode: 0o755 });
    writeFileSync(join(place, 'rail.sif'), '');
    writeFileSync(join(place, 'rail-in-apptainer.conf'), `image=${place}/rail.sif\nbind=/scratch,/shared\n`);
    const asked = asUser(join(place, 'python'), ['-I', 'a b.py'], { PATH: `${place}:/usr/bin:/bin` });
    expect(asked.stdout.trim().split('\n')).toEqual([
      ...['exec', '--no-home', '--bind', '/scratch,/shared', `${place}/rail.sif`, '/opt/rail/bin/python'],
      ...['-I', 'a b.py'],
    ]);
  });
});
