import { join } from 'node:path';
import type { Bench, BenchRun } from '#bench/bench.ts';
import { measure, median } from '#bench/paired.ts';
import type { ExitRecord } from '#core/job.ts';
import { makeDemoData } from '#local/demo-data.ts';
import { run } from '#local/process.ts';
import { ensureRailEnvironment } from '#local/rail-environment.ts';
import {
  algorithmsFolder,
  makeTask,
  type Rail,
  readRecord,
  runnableAlgorithms,
  runWorker,
  trainModel,
} from '#test/rail/rail-worker.ts';

/** Rows of a production part, which the shares of overhead are told for. */
const PART_ROWS = 130_000;
const OBJECTS = 20e9;
/** Highest share of start-up and I/O, in percent of compute. */
const AIMS: Readonly<Record<string, number>> = { bpz: 1, fzboost: 1, gpz: 10 };
const SCRIPT = join(import.meta.dirname, 'rail_today.py');
const ONE_THREAD = { OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1', LOKY_MAX_CPU_COUNT: '1' };

/** `bpz,gpz rows=130000 parts=10 trained=10225`, in any order; what is left out is as here. */
function readOptions(options: readonly string[]) {
  const number = (name: string, otherwise: number) =>
    Number(options.find((option) => option.startsWith(`${name}=`))?.split('=')[1] ?? otherwise);
  const named = options.filter((option) => !option.includes('=')).flatMap((option) => option.split(','));
  const unknown = named.find((name) => !runnableAlgorithms.includes(name));
  if (unknown) throw new Error(`${unknown} is not among ${runnableAlgorithms.join(', ')}`);
  return {
    algorithms: named.length > 0 ? named : runnableAlgorithms,
    rows: number('rows', 2_000),
    parts: number('parts', 10),
    trained: number('trained', 2_000),
  };
}
type Options = ReturnType<typeof readOptions>;

export const bench: Bench = {
  summary:
    'RAIL as it is run by hand, one process per part reading HDF5, against the worker over 10 parts; options: ALGORITHM,... rows=N parts=N trained=N',
  minutes: 9,
  async run(bench) {
    const options = readOptions(bench.options);
    const { python, env } = await ensureRailEnvironment({ home: bench.home, log: bench.say });
    const demo = await makeDemoData({ python, folder: join(bench.folder, 'demo'), log: bench.say });
    const rail: Rail = { python, env: { ...process.env, ...env }, demo, folder: bench.folder };
    const make = [SCRIPT, 'parts', demo.releaseFolder, bench.folder, String(options.parts), String(options.rows)];
    await run([python, ...make], { env: rail.env });
    for (const algorithm of options.algorithms) await compare(bench, rail, algorithm, options);
  },
};

async function compare(bench: BenchRun, rail: Rail, algorithm: string, options: Options): Promise<void> {
  const model = await trainModel(rail, algorithm, options.trained);
  const file = (part: number, ending: string) => join(rail.folder, `part-${part}.${ending}`);
  const today = (...args: readonly string[]) => {
    const argv = [rail.python, '-W', 'ignore', SCRIPT, ...args] as const;
    return measure({ argv: [...argv], env: { ...rail.env, ...ONE_THREAD } });
  };
  const configuration = join(algorithmsFolder, `${algorithm}.json`);
  const started = await today('start', configuration);
  const byHand = [];
  // Three processes are enough to know what each of the parts costs.
  for (let part = 0; part < Math.min(3, options.parts); part += 1) {
    byHand.push(await today('estimate', configuration, model, file(part, 'hdf5'), join(rail.folder, 'out.hdf5')));
  }
  bench.say(
    `${algorithm}: by hand ${byHand.map(({ cpuSeconds }) => cpuSeconds.toFixed(1)).join(', ')} s of CPU a part`,
  );
  const parts = Array.from({ length: options.parts }, (_, part) => ({
    input: file(part, 'parquet'),
    rows: options.rows,
  }));
  const records = await work(rail, algorithm, model, 'alone', parts);
  const [one, two] = await Promise.all([
    work(rail, algorithm, model, 'beside-1', parts.slice(0, 3)),
    work(rail, algorithm, model, 'beside-2', parts.slice(0, 3)),
  ]);
  tell(bench, algorithm, options, { started, byHand, records, beside: [...one, ...two] });
}

async function work(
  rail: Rail,
  algorithm: string,
  model: string,
  name: string,
  units: readonly { readonly input: string; readonly rows: number }[],
): Promise<readonly ExitRecord[]> {
  const folder = join(rail.folder, `${algorithm}-${name}`);
  const { path, task } = await makeTask({ kind: 'estimate', algorithm, model, folder, units });
  const ended = await runWorker(rail, path);
  if (ended.code !== 0) throw new Error(ended.stderr);
  return await Promise.all(units.map((_, index) => readRecord(task, index)));
}

interface Measured {
  readonly started: { readonly cpuSeconds: number };
  readonly byHand: readonly { readonly cpuSeconds: number; readonly peakBytes: number }[];
  readonly records: readonly ExitRecord[];
  readonly beside: readonly ExitRecord[];
}

function tell(bench: BenchRun, algorithm: string, { rows, parts }: Options, measured: Measured): void {
  const { started, byHand, records, beside } = measured;
  const lower = (name: string, value: number, unit: string, aim: number | null = null) =>
    bench.figure({ name: `${algorithm}_${name}`, value, unit, better: 'lower', aim });
  const middle = (from: readonly ExitRecord[], of: (record: ExitRecord) => number) => median(from.map(of));
  // Seconds a row; the first part's record carries the start, so the others are looked at where there are others.
  const warm = records.length > 1 ? records.slice(1) : records;
  const start = records[0]?.seconds.import ?? 0;
  const io = middle(warm, ({ seconds }) => seconds.read + seconds.write) / rows;
  const compute = middle(warm, ({ seconds }) => seconds.compute) / rows;
  const perRow = warm.map(({ cpuSeconds }) => cpuSeconds / rows);
  const handCpu = median(byHand.map(({ cpuSeconds }) => cpuSeconds));
  const handPerRow = Math.max(0, handCpu - started.cpuSeconds) / rows;
  lower('today_start_seconds', started.cpuSeconds, 's of CPU');
  lower('today_ms_per_object', 1000 * handPerRow, 'ms of CPU');
  lower('today_peak_mib', Math.max(...byHand.map(({ peakBytes }) => peakBytes)) / 2 ** 20, 'MiB');
  lower('worker_start_seconds', start, 's');
  lower('worker_ms_per_object', 1000 * median(perRow), 'ms of CPU');
  lower('worker_io_ms_per_object', 1000 * io, 'ms');
  lower('worker_peak_mib', Math.max(...records.map(({ peakRssBytes }) => peakRssBytes)) / 2 ** 20, 'MiB');
  // Linear in rows but for the start, which `parts` parts share.
  const overhead = (100 * (start / parts + io * PART_ROWS)) / (compute * PART_ROWS);
  lower('overhead_percent', overhead, '% of compute', AIMS[algorithm] ?? null);
  const today = started.cpuSeconds + handPerRow * PART_ROWS;
  lower('worker_to_today', (start / parts + median(perRow) * PART_ROWS) / today, 'ratio of CPU');
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
  lower('two_at_once_cpu_ratio', median(warmBeside.map(({ cpu }) => cpu)) / rows / median(perRow), 'ratio');
  const coreHours = (secondsPerRow: number) => (OBJECTS * (secondsPerRow + start / parts / PART_ROWS)) / 3600;
  lower('core_hours_20e9', coreHours(median(perRow)), 'core-hours');
  lower('core_hours_20e9_fastest_part', coreHours(Math.min(...perRow)), 'core-hours');
  lower('core_hours_20e9_slowest_part', coreHours(Math.max(...perRow)), 'core-hours');
}
