import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { fileDigest } from '#adapters/file-digest.ts';
import { type Algorithm, algorithmSchema, configurationDigest } from '#core/algorithm.ts';
import { sha256 } from '#core/digest.ts';
import { type ExitRecord, exitRecordSchema, type WorkerTask } from '#core/job.ts';
import { makeDemoData } from '#local/demo-data.ts';
import { ensureLephareArchive, type LephareArchive } from '#local/lephare-archive.ts';
import { run } from '#local/process.ts';
import { ensureRailEnvironment, RAIL_FOLDER } from '#local/rail-environment.ts';

const repository = join(import.meta.dirname, '..', '..');
const home = join(repository, '.ponte');
const log = (line: string) => console.log(line);

export const algorithmsFolder = join(repository, 'schemas', 'algorithms');

/** The registered algorithms. */
export const registeredAlgorithms = readdirSync(algorithmsFolder)
  .filter((file) => file.endsWith('.json'))
  .map((file) => file.replace('.json', ''));
export function readAlgorithm(name: string): Algorithm {
  return algorithmSchema.parse(JSON.parse(readFileSync(join(algorithmsFolder, `${name}.json`), 'utf8')));
}

/** The environment, the demo's data and an empty folder of this test's own. */
export async function prepareRail(name: string) {
  const { python, env } = await ensureRailEnvironment({ home, log });
  const demo = await makeDemoData({ python, folder: join(home, 'test-rail', 'demo'), log });
  const folder = join(home, 'test-rail', name);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  return { python, env: { ...process.env, ...env }, demo, folder };
}
export type Rail = Awaited<ReturnType<typeof prepareRail>>;

/** Runs a command of rail_fixture.py and resolves with the JSON it prints. */
export async function fixture<T>(rail: Rail, schema: z.ZodType<T>, ...args: readonly string[]): Promise<T> {
  const script = join(import.meta.dirname, 'rail_fixture.py');
  const ofLephare = args.some((arg) => /^(lephare|lephare=.*|lay_out_lephare)$/.test(arg));
  const env = ofLephare ? { ...rail.env, LEPHARE_ARCHIVE: (await lephareArchive()).path } : rail.env;
  const output = await run([rail.python, '-W', 'ignore', script, ...args], { env });
  return schema.parse(JSON.parse(output));
}

/** A part of `rows` objects of the catalogue from `first` on, as the recipe would derive it. */
export async function makePart(rail: Rail, name: string, first: number, rows: number): Promise<string> {
  const path = join(rail.folder, name);
  await fixture(rail, z.literal(true), 'part', rail.demo.releaseFolder, path, String(first), String(rows));
  return path;
}

export interface Unit {
  readonly input: string | null;
  readonly rows?: number;
}

/** A task of one kind whose outputs go below `folder`/{index}; `change` may spoil it. */
export async function makeTask(
  options: Pick<WorkerTask, 'kind' | 'algorithm'> & {
    readonly folder: string;
    readonly units?: readonly Unit[];
    readonly training?: string;
    readonly model?: string;
    readonly threads?: number;
    readonly archive?: boolean;
    readonly pdf?: boolean;
  },
  change: (task: WorkerTask) => WorkerTask = (task) => task,
): Promise<{ readonly path: string; readonly task: WorkerTask }> {
  const reference = async (path: string) => ({ path, sha256: sha256(await readFile(path)) });
  const workKey = sha256(`${options.kind} ${options.folder}`);
  const units = await Promise.all(
    (options.units ?? [{ input: null }]).map(async ({ input, rows = 0 }, index) => ({
      unitId: input === null ? workKey : sha256(`${index} ${input}`),
      input: input === null ? null : { ...(await reference(input)), rows },
      outputDir: join(options.folder, String(index)),
      exitRecord: join(options.folder, String(index), 'exit.json'),
    })),
  );
  const task = change({
    version: 1,
    kind: options.kind,
    workKey,
    algorithm: options.algorithm,
    configurationDigest: configurationDigest(readAlgorithm(options.algorithm)),
    threads: options.threads ?? 1,
    archive: options.archive ?? false,
    pdf: options.pdf ?? true,
    training: options.training ? await reference(options.training) : null,
    heldOut: options.training ? { fraction: 0.1, seed: 42 } : null,
    model: options.model ? await reference(options.model) : null,
    ancillary: await ancillaryOf(options.algorithm),
    units,
  });
  await mkdir(options.folder, { recursive: true });
  const path = join(options.folder, 'task.json');
  await writeFile(path, JSON.stringify(task));
  return { path, task };
}

let archive: Promise<LephareArchive> | undefined;

/** LePHARE's data, the one ancillary file that an algorithm needs, packed once on this machine. */
export function lephareArchive(): Promise<LephareArchive> {
  archive ??= ensureRailEnvironment({ home, log }).then(({ python }) =>
    ensureLephareArchive({ home, python, folder: join(home, 'ancillary'), log }),
  );
  return archive;
}

async function ancillaryOf(algorithm: string): Promise<WorkerTask['ancillary']> {
  return await Promise.all(
    readAlgorithm(algorithm).ancillary.map(async ({ name }) => ({ name, ...(await lephareArchive()) })),
  );
}

const eventSchema = z.looseObject({ event: z.string(), unitId: z.string().optional() });
export type WorkerEvent = z.infer<typeof eventSchema>;

export interface Ended {
  readonly code: number | null;
  readonly events: readonly WorkerEvent[];
  readonly stderr: string;
}

/** Runs the worker to its end. `onEvent` sees every line of its standard output as it comes. */
export async function runWorker(
  rail: Rail,
  taskPath: string,
  onEvent: (event: WorkerEvent, pid: number) => void = () => {},
  options: readonly string[] = [],
): Promise<Ended> {
  const child = spawn(rail.python, ['-m', 'ponte_rail', taskPath, ...options], { env: rail.env });
  const events: WorkerEvent[] = [];
  let stderr = '';
  let partial = '';
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (partial + chunk.toString('utf8')).split('\n');
    partial = lines.pop() ?? '';
    for (const line of lines) {
      const event = eventSchema.parse(JSON.parse(line));
      events.push(event);
      onEvent(event, child.pid ?? 0);
    }
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('utf8');
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  return { code, events, stderr };
}

export async function readRecord(task: WorkerTask, index = 0): Promise<ExitRecord> {
  const path = task.units[index]?.exitRecord ?? '';
  return exitRecordSchema.parse(JSON.parse(await readFile(path, 'utf8')));
}

/** The file of that name in a record. */
export function outputOf(record: ExitRecord, name: string): string {
  const found = record.outputs.find((output) => output.name === name);
  if (!found) throw new Error(`no output ${name}: ${JSON.stringify(record.error)}`);
  return found.path;
}

let trainings = 0;

/** Trains on the first `rows` rows of the demo's training set and resolves with the model's path. */
export async function trainModel(
  rail: Rail,
  algorithm: string,
  rows: number,
  unregistered: { readonly change?: (task: WorkerTask) => WorkerTask; readonly options?: readonly string[] } = {},
): Promise<string> {
  const training = join(rail.folder, `training-${rows}.parquet`);
  await fixture(rail, z.literal(true), 'head', rail.demo.trainingPath, training, String(rows));
  trainings += 1;
  const folder = join(rail.folder, `inform-${algorithm}-${trainings}`);
  const { path, task } = await makeTask({ kind: 'inform', algorithm, folder, training }, unregistered.change);
  const ended = await runWorker(rail, path, undefined, unregistered.options);
  if (ended.code !== 0) throw new Error(ended.stderr);
  return outputOf(await readRecord(task), 'model');
}

/**
 * The same, of a model that another test may have trained: LePHARE takes more than a minute. What makes a model is in
 * its name here, the worker's own code included.
 */
export async function trainedModel(rail: Rail, algorithm: string, rows: number): Promise<string> {
  const sources = (await readdir(join(RAIL_FOLDER, 'ponte_rail'))).filter((name) => name.endsWith('.py')).sort();
  const files = [
    join(RAIL_FOLDER, 'requirements.txt'),
    ...sources.map((name) => join(RAIL_FOLDER, 'ponte_rail', name)),
  ];
  const contents = await Promise.all([rail.demo.trainingPath, ...files].map(fileDigest));
  const name = sha256([configurationDigest(readAlgorithm(algorithm)), rows, ...contents].join());
  const folder = join(home, 'test-rail', 'models');
  const path = join(folder, `${name}.pkl`);
  if (existsSync(path)) return path;
  const trained = await trainModel(rail, algorithm, rows);
  await mkdir(folder, { recursive: true });
  await copyFile(trained, `${path}.${process.pid}`);
  await rename(`${path}.${process.pid}`, path);
  return path;
}
