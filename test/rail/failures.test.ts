import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { sha256 } from '#core/digest.ts';
import type { ExitRecord, WorkerTask } from '#core/job.ts';
import {
  fixture,
  makePart,
  makeTask,
  prepareRail,
  type Rail,
  readRecord,
  runWorker,
  trainModel,
  type Unit,
} from './rail-worker.ts';

const ROWS = 3000;
const LARGE_ROWS = 12_000_000;

let rail: Rail;
let model: string;
let units: Unit[];
let folder: string;
let counter = 0;

beforeAll(async () => {
  rail = await prepareRail('failures');
  model = await trainModel(rail, 'bpz', 100);
  units = [];
  for (const index of [0, 1, 2]) {
    units.push({ input: await makePart(rail, `part-${index}.parquet`, index * ROWS, ROWS), rows: ROWS });
  }
});

beforeEach(() => {
  counter += 1;
  folder = join(rail.folder, `case-${counter}`);
});

const estimateTask = (change?: (task: WorkerTask) => WorkerTask, of: readonly Unit[] = units) =>
  makeTask({ kind: 'estimate', algorithm: 'bpz', model, units: of, folder }, change);

/** Waits for the worker's forked child, which appears right after `unit-started`. */
async function childOf(pid: number): Promise<number> {
  for (;;) {
    const [child] = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ');
    if (child) return Number(child);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Gone, or dead and waiting for a parent that does not look (in a container, often the first process). */
function isDead(pid: number): boolean {
  const stat = `/proc/${pid}/stat`;
  return !existsSync(stat) || / [ZX] /.test(readFileSync(stat, 'utf8'));
}

async function filesOf(task: WorkerTask, index: number): Promise<string[]> {
  const outputDir = task.units[index]?.outputDir ?? '';
  return existsSync(outputDir) ? (await readdir(outputDir)).sort() : [];
}

/**
 * A control group of 500 MB, as Slurm makes one around a task, or null where this user may make none: version 2 of the
 * kernel's, or version 1.
 */
function makeMemoryGroup(): string | null {
  for (const [root, limit] of [
    ['/sys/fs/cgroup', 'memory.max'],
    ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes'],
  ] as const) {
    const group = join(root, `ponte-test-${process.pid}`);
    try {
      mkdirSync(group);
    } catch {
      continue;
    }
    if (existsSync(join(group, limit))) {
      writeFileSync(join(group, limit), String(500 * 2 ** 20));
      if (existsSync(join(group, 'memory.swap.max'))) writeFileSync(join(group, 'memory.swap.max'), '0');
      return group;
    }
    rmdirSync(group);
  }
  return null;
}

const COMPLETE = ['exit.json', 'pdf.parquet', 'points.parquet'];

test('a unit whose process is killed fails alone, and leaves nothing half written', async () => {
  const { path, task } = await estimateTask();
  const ended = await runWorker(rail, path, async ({ event, unitId }, pid) => {
    if (event === 'unit-started' && unitId === task.units[1]?.unitId) process.kill(await childOf(pid), 'SIGKILL');
  });
  expect(ended.code, ended.stderr).toBe(0);
  const [first, second, third] = [await readRecord(task, 0), await readRecord(task, 1), await readRecord(task, 2)];
  expect([first.outcome, second.outcome, third.outcome]).toEqual(['succeeded', 'failed', 'succeeded']);
  expect(second.error).toMatchObject({ code: 'CHILD_KILLED', kind: 'infrastructure' });
  expect(second.error?.message).toContain('part-1.parquet');
  expect(await filesOf(task, 1)).toEqual(['exit.json']);
  expect(await filesOf(task, 2)).toEqual(COMPLETE);
});

/** Runs the sound parts with one between them that needs some 1.3 GB, in a shell that first does `limit`. */
async function runWithTooLarge(limit: string) {
  const large = join(rail.folder, 'large.parquet');
  await fixture(rail, z.literal(true), 'swollen', units[0]?.input ?? '', large, String(LARGE_ROWS));
  const [first, second] = units;
  if (!first || !second) throw new Error('no parts');
  const { path, task } = await estimateTask(undefined, [first, { input: large, rows: LARGE_ROWS }, second]);
  const python = join(folder, 'limited.sh');
  await writeFile(python, `#!/bin/sh\nset -e\n${limit}\nexec "${rail.python}" "$@"\n`, { mode: 0o755 });
  const ended = await runWorker({ ...rail, python }, path);
  return { ended, task, records: [await readRecord(task, 0), await readRecord(task, 1), await readRecord(task, 2)] };
}

/** The sound parts around it are as if it had not been there, and it says to whom and of what it complains. */
async function expectOnlyLargeFailed(
  { ended, task, records }: Awaited<ReturnType<typeof runWithTooLarge>>,
  code: string,
) {
  expect(ended.code, ended.stderr).toBe(0);
  expect(records.map(({ outcome }) => outcome)).toEqual(['succeeded', 'failed', 'succeeded']);
  expect(records[1]?.error).toMatchObject({ code, kind: 'infrastructure' });
  expect(records[1]?.error?.message).toMatch(/large\.parquet.*Give the job more memory/);
  expect(await filesOf(task, 1)).toEqual(['exit.json']);
  folder = `${folder}-undisturbed`;
  const undisturbed = await estimateTask(undefined, units.slice(0, 2));
  expect((await runWorker(rail, undisturbed.path)).code).toBe(0);
  const digests = (record: ExitRecord | undefined) => record?.outputs.map(({ name, sha256 }) => [name, sha256]);
  expect(digests(records[0])).toEqual(digests(await readRecord(undisturbed.task, 0)));
  expect(digests(records[2])).toEqual(digests(await readRecord(undisturbed.task, 1)));
}

test('a unit that gets no more memory fails alone, and says so', async () => {
  const { path } = await estimateTask(undefined, units.slice(0, 1));
  let usedKib = 0;
  await runWorker(rail, path, ({ event }, pid) => {
    if (event === 'unit-started')
      usedKib = Number(/VmSize:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  });
  expect(usedKib).toBeGreaterThan(0);
  folder = `${folder}-limited`;
  await expectOnlyLargeFailed(await runWithTooLarge(`ulimit -v ${usedKib + 400 * 1024}`), 'MEMORY_EXHAUSTED');
});

test('a unit that the kernel kills for its memory fails alone: the worker lives', async ({ skip }) => {
  const group = makeMemoryGroup() ?? skip('this user may make no control group with a limit of memory');
  try {
    await expectOnlyLargeFailed(await runWithTooLarge(`echo $$ > ${group}/cgroup.procs`), 'CHILD_KILLED');
  } finally {
    rmdirSync(group);
  }
});

test('SIGTERM ends the work at once: no half output, no record, no process left', async () => {
  const { path, task } = await estimateTask();
  let child = 0;
  const ended = await runWorker(rail, path, async ({ event, unitId }, pid) => {
    if (event !== 'unit-started' || unitId !== task.units[1]?.unitId) return;
    child = await childOf(pid);
    process.kill(pid, 'SIGTERM');
  });
  expect(ended.code).toBe(143);
  expect(ended.events.at(-1)).toMatchObject({ event: 'stopped' });
  expect(child).toBeGreaterThan(0);
  expect(isDead(child)).toBe(true);
  expect((await readRecord(task, 0)).outcome).toBe('succeeded');
  expect(await filesOf(task, 1)).toEqual([]);
  expect(await filesOf(task, 2)).toEqual([]);

  const resumed = await runWorker(rail, path);
  expect(resumed.code, resumed.stderr).toBe(0);
  expect(resumed.events[0]).toMatchObject({ event: 'unit-skipped', unitId: task.units[0]?.unitId });
  for (const index of [0, 1, 2]) expect(await filesOf(task, index)).toEqual(COMPLETE);
});

test('a child does not outlive a worker that is killed', async () => {
  const { path, task } = await estimateTask(undefined, units.slice(0, 1));
  let child = 0;
  const ended = await runWorker(rail, path, async ({ event }, pid) => {
    if (event !== 'unit-started') return;
    child = await childOf(pid);
    process.kill(pid, 'SIGKILL');
  });
  expect(ended.code).toBeNull();
  await expect.poll(() => isDead(child)).toBe(true);
  expect(existsSync(task.units[0]?.exitRecord ?? '')).toBe(false);
});

test('a second run of a finished task changes nothing', async () => {
  const { path, task } = await estimateTask(undefined, units.slice(0, 2));
  expect((await runWorker(rail, path)).code).toBe(0);
  const before = [await readRecord(task, 0), await readRecord(task, 1)];
  const again = await runWorker(rail, path);
  expect(again.code).toBe(0);
  expect(again.events.map(({ event }) => event)).toEqual(['unit-skipped', 'unit-skipped']);
  expect([await readRecord(task, 0), await readRecord(task, 1)]).toEqual(before);
});

test('of two workers on one task one writes the record', async () => {
  const { path, task } = await estimateTask(undefined, units.slice(0, 1));
  const both = await Promise.all([runWorker(rail, path), runWorker(rail, path)]);
  expect(both.map(({ code }) => code)).toEqual([0, 0]);
  const endings = both.flatMap(({ events }) => events.filter(({ event }) => event.startsWith('unit-finished')));
  expect(endings.filter(({ event }) => event === 'unit-finished')).toHaveLength(1);
  const record = await readRecord(task, 0);
  for (const output of record.outputs) expect(sha256(await readFile(output.path))).toBe(output.sha256);
  expect(await filesOf(task, 0)).toEqual(COMPLETE);
});

test('a model with another digest is refused before it is unpickled', async () => {
  const [trap, evidence] = [join(rail.folder, 'trap.pkl'), join(rail.folder, 'evidence')];
  await fixture(rail, z.literal(true), 'trap', trap, evidence);
  const { path, task } = await estimateTask((sound) => ({
    ...sound,
    model: { path: trap, sha256: sound.model?.sha256 ?? sound.workKey },
  }));
  const ended = await runWorker(rail, path);
  expect(ended.code).toBe(3);
  expect(existsSync(evidence)).toBe(false);
  for (const index of [0, 1, 2]) {
    const record = await readRecord(task, index);
    expect(record.error).toMatchObject({ code: 'MODEL_DIGEST_MISMATCH', kind: 'infrastructure' });
  }

  // The trap does spring once its digest is the expected one: what held it back was the check.
  folder = `${folder}-sprung`;
  const sprung = await makeTask({ kind: 'estimate', algorithm: 'bpz', model: trap, units, folder });
  await runWorker(rail, sprung.path);
  expect(existsSync(evidence)).toBe(true);
});

test('a damaged part fails alone, by its digest', async () => {
  const damaged = join(rail.folder, 'damaged.parquet');
  const content = await readFile(units[1]?.input ?? '');
  const middle = Math.floor(content.length / 2);
  content.writeUInt8(content.readUInt8(middle) ^ 1, middle);
  await writeFile(damaged, content);
  const { path, task } = await estimateTask((sound) => ({
    ...sound,
    units: sound.units.map((unit, index) =>
      index === 1 && unit.input ? { ...unit, input: { ...unit.input, path: damaged } } : unit,
    ),
  }));
  expect((await runWorker(rail, path)).code).toBe(0);
  expect((await readRecord(task, 0)).outcome).toBe('succeeded');
  expect((await readRecord(task, 1)).error).toMatchObject({ code: 'INPUT_DIGEST_MISMATCH', kind: 'infrastructure' });
  expect((await readRecord(task, 2)).outcome).toBe('succeeded');
});

test('what is wrong with a part is said in the words of its reader', async () => {
  const text = join(rail.folder, 'not-parquet.parquet');
  await writeFile(text, 'not a table');
  const bad = [
    { input: text, rows: 1 },
    { input: rail.demo.truthPath, rows: 1 },
    { input: units[0]?.input ?? '', rows: 7 },
  ];
  const { path, task } = await estimateTask(undefined, bad);
  expect((await runWorker(rail, path)).code).toBe(3);
  const errors = [await readRecord(task, 0), await readRecord(task, 1), await readRecord(task, 2)].map(
    ({ error }) => error,
  );
  expect(errors.map((error) => error?.code)).toEqual(['INPUT_UNREADABLE', 'INPUT_COLUMNS', 'INPUT_ROWS']);
  expect(errors.map((error) => error?.kind)).toEqual(['science', 'science', 'science']);
  expect(errors[1]?.message).toContain('lacks the columns objectId, mag_u');
});

test.each([
  [
    'a configuration that is not the registered one',
    'CONFIGURATION_MISMATCH',
    { configurationDigest: sha256('other') },
  ],
  ['an algorithm that is not registered', 'ALGORITHM_NOT_REGISTERED', { algorithm: 'unheard-of' }],
])('%s is refused', async (_what, code, change) => {
  const { path, task } = await estimateTask((sound) => ({ ...sound, ...change }), units.slice(0, 1));
  const ended = await runWorker(rail, path);
  expect(ended.code).toBe(2);
  expect((await readRecord(task, 0)).error).toMatchObject({ code, kind: 'infrastructure' });
});

test('a task that is no task, or whose record is taken, is refused with one sentence', async () => {
  await mkdir(folder, { recursive: true });
  const broken = join(folder, 'broken.json');
  await writeFile(broken, '{"version": 1, "kind": "estimate"');
  expect(await runWorker(rail, broken)).toMatchObject({ code: 2, stderr: expect.stringContaining('TASK_UNREADABLE') });

  const { path: negative } = await estimateTask((sound) => ({ ...sound, threads: -1 }));
  const refused = await runWorker(rail, negative);
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('threads must be 1 to 1024, not -1') });

  const { path: taken, task } = await estimateTask();
  await mkdir(task.units[0]?.outputDir ?? '', { recursive: true });
  await writeFile(task.units[0]?.exitRecord ?? '', '{}');
  expect(await runWorker(rail, taken)).toMatchObject({ code: 2, stderr: expect.stringContaining('RECORD_CONFLICT') });
});

test('an exception is told apart by who has to act', async () => {
  const schema = z.array(z.tuple([z.string(), z.string()]));
  expect(await fixture(rail, schema, 'classified')).toEqual([
    ['MEMORY_EXHAUSTED', 'infrastructure'],
    ['MEMORY_EXHAUSTED', 'infrastructure'],
    ['MEMORY_EXHAUSTED', 'infrastructure'],
    ['DISK_FULL', 'infrastructure'],
    ['FILE_SYSTEM', 'infrastructure'],
    ['ALGORITHM_FAILED', 'science'],
  ]);
});
