import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { holderIsAlive } from '#bridge-agent/records.ts';
import { WorkFolder } from '#bridge-agent/scratch.ts';
import { JOB_FOLDER, pythonPath, until } from '#test/bridge-agent/site.ts';

const STALE_SECONDS = 1;

/** A worker that notes its start, waits while FOLDER/wait exists, notes a SIGTERM, and links its record. */
const WORKER = `
import json, os, signal, sys, time
task = json.load(open(sys.argv[1]))
folder = task["folder"]
def note(line):
    with open(os.path.join(folder, "notes"), "a") as notes:
        notes.write(f"{line}\\n")
def stop(*_):
    note("told to stop")
    sys.exit(3)
signal.signal(signal.SIGTERM, stop)
note(f"pid {os.getpid()} {os.environ.get('GIVEN')} {os.environ.get('PONTE_LEAK')}")
while os.path.exists(os.path.join(folder, "wait")):
    time.sleep(0.02)
open(os.path.join(folder, "exit", "unit"), "x").close()
`;

describe('the job side', () => {
  let folder: string;
  const running: ChildProcess[] = [];
  const python = pythonPath();

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ponte-job-'));
    for (const name of ['tasks', 'exit', 'claims']) mkdirSync(join(folder, name));
    writeFileSync(join(folder, 'worker.py'), WORKER);
    writeFileSync(
      join(folder, 'run.json'),
      JSON.stringify({
        command: [python, join(folder, 'worker.py')],
        environment: { GIVEN: 'yes' },
        heartbeatSeconds: 0.1,
        staleSeconds: STALE_SECONDS,
      }),
    );
    const task = { folder, units: [{ exitRecord: join(folder, 'exit', 'unit') }] };
    writeFileSync(join(folder, 'tasks', '0.json'), JSON.stringify(task));
  });
  afterEach(async () => {
    for (const child of running.splice(0)) child.kill('SIGKILL');
    await until('no worker left', () => workers().every((pid) => !existsSync(`/proc/${pid}/fd/0`)));
    rmSync(folder, { recursive: true, force: true });
  });

  function start(): { readonly child: ChildProcess; readonly code: Promise<number | null> } {
    const env = { PATH: process.env.PATH, PONTE_LEAK: 'a login file’s variable' };
    const child = spawn(python, ['-I', join(JOB_FOLDER, 'job.py'), folder, '0'], { env, stdio: 'ignore' });
    running.push(child);
    return { child, code: once(child, 'exit').then(() => child.exitCode) };
  }
  const notes = () =>
    existsSync(join(folder, 'notes')) ? readFileSync(join(folder, 'notes'), 'utf8').trim().split('\n') : [];
  const workers = () => notes().flatMap((line) => /^pid (\d+)/.exec(line)?.[1] ?? []);
  const hold = () => writeFileSync(join(folder, 'wait'), '');
  const letGo = () => rmSync(join(folder, 'wait'));
  const holderAlive = () => holderIsAlive(new WorkFolder(folder), 0, STALE_SECONDS);

  it('runs the worker with the environment it was given and nothing else', async () => {
    expect(await start().code).toBe(0);
    expect(notes()).toEqual([expect.stringMatching(/^pid \d+ yes None$/)]);
    expect(readdirSync(join(folder, 'claims'))).toEqual(['0.1']);
  });

  it('does nothing when every unit has its record', async () => {
    writeFileSync(join(folder, 'exit', 'unit'), '');
    expect(await start().code).toBe(0);
    expect(notes()).toEqual([]);
  });

  it('leaves with 75 while another one shows life', async () => {
    hold();
    const first = start();
    await until('a worker', () => workers().length === 1);
    expect(holderAlive()).toBe(true);
    expect(await start().code).toBe(75);
    letGo();
    expect(await first.code).toBe(0);
    expect(workers()).toHaveLength(1);
  });

  it('neither starts nor goes on once the lease of its site is over', async () => {
    const run = { ...JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8')), leaseSeconds: 1 };
    writeFileSync(join(folder, 'run.json'), JSON.stringify(run));
    expect(await start().code).toBe(77);
    expect(notes()).toEqual([]);
    hold();
    writeFileSync(join(folder, 'lease'), '');
    const { code } = start();
    await until('a worker', () => workers().length === 1);
    expect(await code).toBe(77);
    await until('the end of its worker', () => !existsSync(`/proc/${workers()[0]}/fd/0`));
    expect(existsSync(join(folder, 'exit', 'unit'))).toBe(false);
  });

  it('started many times at once runs one worker', async () => {
    hold();
    const all = Array.from({ length: 8 }, start);
    await until('a worker', () => workers().length === 1);
    const losers = Promise.all(all.map(({ code }) => code));
    await until('seven losers', () => all.filter(({ child }) => child.exitCode === 75).length === 7);
    letGo();
    expect((await losers).filter((code) => code === 0)).toHaveLength(1);
    expect(workers()).toHaveLength(1);
  });

  it('takes over from a dead holder, whose worker died with it', async () => {
    hold();
    const first = start();
    await until('a worker', () => workers().length === 1);
    first.child.kill('SIGKILL');
    await first.code;
    await until('the end of its worker', () => !existsSync(`/proc/${workers()[0]}/fd/0`));
    await until('a stale claim', () => !holderAlive());
    const second = start();
    await until('another worker', () => workers().length === 2);
    letGo();
    expect(await second.code).toBe(0);
    expect(readdirSync(join(folder, 'claims')).sort()).toEqual(['0.1', '0.2']);
  });

  it('takes over at once from a holder that has ended', async () => {
    hold();
    const first = start();
    await until('a worker', () => workers().length === 1);
    process.kill(Number(workers()[0]), 'SIGKILL');
    expect(await first.code).toBe(137);
    expect(holderAlive()).toBe(false);
    letGo();
    expect(await start().code).toBe(0);
  });

  it('that lost its claim kills its worker and leaves with 76', async () => {
    hold();
    const first = start();
    await until('a worker', () => workers().length === 1);
    // As a successor does that took it for dead.
    linkSync(join(folder, 'claims', '0.1'), join(folder, 'claims', '0.2'));
    expect(await first.code).toBe(76);
    expect(existsSync(`/proc/${workers()[0]}/fd/0`)).toBe(false);
    expect(existsSync(join(folder, 'exit', 'unit'))).toBe(false);
  });

  it('passes a SIGTERM on and ends as the worker ends', async () => {
    hold();
    const { child, code } = start();
    await until('a worker', () => workers().length === 1);
    child.kill('SIGTERM');
    expect(await code).toBe(3);
    expect(notes().at(-1)).toBe('told to stop');
  });

  it('says 64 of a task that it cannot read', async () => {
    rmSync(join(folder, 'tasks', '0.json'));
    expect(await start().code).toBe(64);
  });
});
