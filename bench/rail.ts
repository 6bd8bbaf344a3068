import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { Bench, BenchRun } from '#bench/bench.ts';
import { measure, median } from '#bench/paired.ts';
import { type ExitRecord, exitRecordSchema } from '#core/job.ts';
import { makeDemoData } from '#local/demo-data.ts';
import { run } from '#local/process.ts';
import { ensureRailEnvironment } from '#local/rail-environment.ts';
import {
  algorithmsFolder,
  fixture,
  makeTask,
  type Rail,
  readRecord,
  registeredAlgorithms,
  runWorker,
  trainModel,
} from '#test/rail/rail-worker.ts';
import { type Threads, watchThreads } from '#test/rail/running-threads.ts';

/** Rows of a production part, which the shares of overhead are told for. */
const PART_ROWS = 130_000;
const OBJECTS = 20e9;
/** The start of a worker is shared by the parts of a task, of which a task has so many, however few are measured. */
const PARTS_A_TASK = 10;
/** What a core of LIneA's cluster has, in MiB: 2,000 MB. */
const CORE_MEMORY_MIB = 2e9 / 2 ** 20;
/** A last part of this many times the rows tells what grows with the rows from what every part costs. */
const LARGE = 10;
/** Highest share of start-up and I/O, in percent of compute. */
const AIMS: Readonly<Record<string, number>> = { bpz: 1, fzboost: 1, gpz: 10 };
const SCRIPT = join(import.meta.dirname, 'rail_today.py');
const ioSchema = z.strictObject({ ioSeconds: z.number() });
const ONE_THREAD = { OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1', LOKY_MAX_CPU_COUNT: '1' };

/** `bpz,gpz rows=130000 parts=10 trained=10225`, in any order; what is left out is as here. */
function readOptions(options: readonly string[]) {
  const number = (name: string, otherwise: number) =>
    Number(options.find((option) => option.startsWith(`${name}=`))?.split('=')[1] ?? otherwise);
  const named = options.filter((option) => !option.includes('=')).flatMap((option) => option.split(','));
  const unknown = named.find((name) => !registeredAlgorithms.includes(name));
  if (unknown) throw new Error(`${unknown} is not among ${registeredAlgorithms.join(', ')}`);
  return {
    algorithms: named.length > 0 ? named : registeredAlgorithms,
    rows: number('rows', 2_000),
    parts: number('parts', 10),
    trained: number('trained', 2_000),
  };
}
type Options = ReturnType<typeof readOptions>;

export const bench: Bench = {
  summary:
    'RAIL as it is run by hand, one process per part reading HDF5, against the worker over 10 parts; options: ALGORITHM,... rows=N parts=N trained=N',
  minutes: 12,
  async run(bench) {
    const options = readOptions(bench.options);
    const { python, env } = await ensureRailEnvironment({ home: bench.home, log: bench.say });
    const demo = await makeDemoData({ python, folder: join(bench.folder, 'demo'), log: bench.say });
    const rail: Rail = { python, env: { ...process.env, ...env }, demo, folder: bench.folder };
    const sizes = [...Array.from({ length: options.parts }, () => options.rows), LARGE * options.rows];
    const make = [SCRIPT, 'parts', demo.releaseFolder, bench.folder, sizes.join(',')];
    await run([python, ...make], { env: rail.env });
    for (const algorithm of options.algorithms) await compare(bench, rail, algorithm, options);
  },
};

async function compare(bench: BenchRun, rail: Rail, algorithm: string, options: Options): Promise<void> {
  const model = await trainModel(rail, algorithm, options.trained);
  const file = (part: number, ending: string) => join(rail.folder, `part-${part}.${ending}`);
  const schema = z.record(z.string(), z.string());
  const folders = algorithm === 'lephare' ? await fixture(rail, schema, 'lay_out_lephare', model, rail.folder) : {};
  const today = (...args: readonly string[]) => {
    const argv = [rail.python, '-W', 'ignore', SCRIPT, ...args] as const;
    return measure({ argv: [...argv], env: { ...rail.env, ...ONE_THREAD, ...folders } });
  };
  const configuration = join(algorithmsFolder, `${algorithm}.json`);
  const started = await today('start', configuration);
  const byHand = [];
  // Three processes are enough to know what each of the parts costs.
  for (let part = 0; part < Math.min(3, options.parts); part += 1) {
    const output = join(rail.folder, 'out.hdf5');
    const used = await today('estimate', configuration, model, file(part, 'hdf5'), output);
    byHand.push({ ...used, ...ioSchema.parse(JSON.parse(await readFile(`${output}.json`, 'utf8'))) });
  }
  bench.say(
    `${algorithm}: by hand ${byHand.map(({ cpuSeconds }) => cpuSeconds.toFixed(1)).join(', ')} s of CPU a part`,
  );
  const parts = Array.from({ length: options.parts }, (_, part) => ({
    input: file(part, 'parquet'),
    rows: options.rows,
  }));
  const large = { input: file(options.parts, 'parquet'), rows: LARGE * options.rows };
  const alone = new Crew();
  const records = await work(rail, algorithm, model, alone, 'alone', [...parts, large]);
  const pair = new Crew();
  const [one, two] = await Promise.all([
    work(rail, algorithm, model, pair, 'beside-1', parts.slice(0, 3)),
    work(rail, algorithm, model, pair, 'beside-2', parts.slice(0, 3)),
  ]);
  const inform = exitRecordSchema.parse(JSON.parse(await readFile(join(dirname(model), 'exit.json'), 'utf8')));
  const threads = { ofOne: alone.threads(), ofTwo: pair.threads() };
  tell(bench, algorithm, options, { inform, started, byHand, records, beside: [...one, ...two], threads });
}

/** The workers that run beside each other; their threads are counted from when all of them are ready. */
class Crew {
  private readonly pids = new Set<number>();
  private watch: ReturnType<typeof watchThreads> | undefined;

  joined(pid: number): void {
    this.pids.add(pid);
    this.watch?.stop();
    this.watch = watchThreads([...this.pids]);
  }

  threads(): Threads {
    if (!this.watch) throw new Error('no worker has started');
    return this.watch.stop();
  }
}

async function work(
  rail: Rail,
  algorithm: string,
  model: string,
  crew: Crew,
  name: string,
  units: readonly { readonly input: string; readonly rows: number }[],
): Promise<readonly ExitRecord[]> {
  const folder = join(rail.folder, `${algorithm}-${name}`);
  const { path, task } = await makeTask({ kind: 'estimate', algorithm, model, folder, units });
  const ended = await runWorker(rail, path, ({ event }, pid) => {
    if (event === 'ready') crew.joined(pid);
  });
  if (ended.code !== 0) throw new Error(ended.stderr);
  return await Promise.all(units.map((_, index) => readRecord(task, index)));
}

interface Measured {
  readonly inform: ExitRecord;
  readonly threads: { readonly ofOne: Threads; readonly ofTwo: Threads };
  readonly started: { readonly cpuSeconds: number };
  readonly byHand: readonly {
    readonly cpuSeconds: number;
    readonly peakBytes: number;
    readonly ioSeconds: number;
  }[];
  readonly records: readonly ExitRecord[];
  readonly beside: readonly ExitRecord[];
}

function tell(bench: BenchRun, algorithm: string, { rows }: Options, measured: Measured): void {
  const { inform, started, byHand, beside, threads } = measured;
  const [records, large] = [measured.records.slice(0, -1), measured.records.at(-1)];
  if (!large) throw new Error('the worker left no record');
  const lower = (name: string, value: number, unit: string, aim: number | null = null) =>
    bench.figure({ name: `${algorithm}_${name}`, value, unit, better: 'lower', aim });
  const middle = (from: readonly ExitRecord[], of: (record: ExitRecord) => number) => median(from.map(of));
  // Seconds a row; the first part's record carries the start, so the others are looked at where there are others.
  const warm = records.length > 1 ? records.slice(1) : records;
  const start = records[0]?.seconds.import ?? 0;
  /** At the size of a production part: a straight line through the small parts and the large one. */
  const atPartRows = (of: (record: ExitRecord) => number) => {
    const small = middle(warm, of);
    return small + ((of(large) - small) * (PART_ROWS - rows)) / ((LARGE - 1) * rows);
  };
  const io = atPartRows(({ seconds }) => seconds.read + seconds.write);
  const compute = atPartRows(({ seconds }) => seconds.compute);
  const cpu = atPartRows(({ cpuSeconds }) => cpuSeconds);
  const perRow = warm.map(({ cpuSeconds }) => cpuSeconds / rows);
  const handCpu = median(byHand.map(({ cpuSeconds }) => cpuSeconds));
  const handPerRow = Math.max(0, handCpu - started.cpuSeconds) / rows;
  lower('today_start_seconds', started.cpuSeconds, 's of CPU');
  lower('today_ms_per_object', 1000 * handPerRow, 'ms of CPU');
  const handIo = median(byHand.map(({ ioSeconds }) => ioSeconds));
  lower('today_io_seconds_per_part', (handIo * PART_ROWS) / rows, 's');
  lower('today_peak_mib', Math.max(...byHand.map(({ peakBytes }) => peakBytes)) / 2 ** 20, 'MiB');
  lower('inform_seconds', inform.cpuSeconds, 's of CPU');
  lower('worker_start_seconds', start, 's');
  lower('worker_ms_per_object', (1000 * cpu) / PART_ROWS, 'ms of CPU');
  lower('worker_io_seconds_per_part', io, 's');
  const wrote = atPartRows(({ seconds }) => seconds.write);
  lower('worker_write_seconds_per_part', wrote, 's');
  lower('worker_compute_seconds_per_part', compute, 's');
  const peaks = measured.records.map(({ peakRssBytes }) => peakRssBytes / 2 ** 20);
  lower('worker_peak_mib', Math.max(...peaks), 'MiB', CORE_MEMORY_MIB);
  const sharedStart = start / PARTS_A_TASK;
  lower('overhead_percent', (100 * (sharedStart + io)) / compute, '% of compute', AIMS[algorithm] ?? null);
  const today = started.cpuSeconds + handPerRow * PART_ROWS;
  lower('worker_to_today', (sharedStart + cpu) / today, 'ratio of CPU');
  const besideSeconds = beside.map(({ seconds, cpuSeconds }) => ({
    cpu: cpuSeconds,
    wall: seconds.wall,
    start: seconds.import,
  }));
  const warmBeside = besideSeconds.filter((each) => each.start === 0);
  lower(
    'cores_used_by_one',
    middle(warm, ({ cpuSeconds, seconds }) => cpuSeconds / seconds.wall),
    'cores',
  );
  lower('running_threads_of_one', threads.ofOne.running, 'threads', 1);
  lower('running_threads_of_two', threads.ofTwo.running, 'threads', 2);
  const pairs = warmBeside.map(({ cpu, wall }) => cpu / wall);
  lower('cores_used_by_each_of_two', median(pairs), 'cores');
  lower('two_at_once_cpu_ratio', median(warmBeside.map(({ cpu }) => cpu)) / rows / median(perRow), 'ratio');
  // The parts are alike, so how they differ from their median is how far the machine is to be trusted.
  const coreHours = (factor: number) => ((OBJECTS / PART_ROWS) * (factor * cpu + sharedStart)) / 3600;
  lower('core_hours_20e9', coreHours(1), 'core-hours');
  lower('core_hours_20e9_fastest_part', coreHours(Math.min(...perRow) / median(perRow)), 'core-hours');
  lower('core_hours_20e9_slowest_part', coreHours(Math.max(...perRow) / median(perRow)), 'core-hours');
}
