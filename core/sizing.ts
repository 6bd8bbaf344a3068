/** What one unit took, as its exit record says. Seconds of wall time; `cores`: as many as its task held. */
export interface Measurement {
  readonly rows: number;
  readonly wallSeconds: number;
  readonly importSeconds: number;
  readonly peakRssBytes: number;
  readonly memoryMb: number;
  /** `out-of-memory`: it wanted more than `memoryMb`, nobody knows how much. */
  readonly outcome: 'succeeded' | 'failed' | 'out-of-memory';
}

export interface SizingLimits {
  /** What a task gets before anything was measured, and how far it may be raised. */
  readonly memoryMb: number;
  readonly maxMemoryMb: number;
  readonly timeLimitMinutes: number;
  readonly maxTimeLimitMinutes: number;
  /** Most tasks of one array. */
  readonly tasksPerArray: number;
  /** How long a task shall take. */
  readonly targetMinutes: number;
}

export interface TaskSize {
  readonly tasks: number;
  readonly memoryMb: number;
  readonly minutes: number;
}

/** Fewer are no measure: one part may be odd, and the first ones read a cold file system. */
const FEWEST = 5;

/** Over the highest peak that was seen: parts differ, and the worker's own process holds a copy of the model. */
const MEMORY_MARGIN = 1.3;
const WORKER_MEMORY_MB = 256;
const LEAST_MEMORY_MB = 512;

/** A time limit is for what hangs, so it may be far off; a few minutes are for the start on a slow file system. */
const TIME_MARGIN = 2;
const START_MINUTES = 5;

/**
 * How many tasks a work is divided into and what each may take, from the measured attempts of the same algorithm and
 * kind. Before there are enough of them: all tasks there may be, with what the site's configuration says.
 * @param rows of all units of the work; of the largest unit.
 */
export function sizeTasks(
  history: readonly Measurement[],
  work: { readonly rows: number; readonly units: number; readonly largestUnitRows: number },
  limits: SizingLimits,
): TaskSize {
  const succeeded = history.filter(({ outcome, rows }) => outcome === 'succeeded' && rows > 0);
  const most = Math.min(limits.tasksPerArray, work.units);
  const memoryMb = memoryOf(history, succeeded, limits);
  const secondsPerRow = slowRate(succeeded);
  if (secondsPerRow === null) return { tasks: most, memoryMb, minutes: limits.timeLimitMinutes };
  const seconds = work.rows * secondsPerRow;
  const tasks = Math.max(1, Math.min(most, Math.ceil(seconds / (limits.targetMinutes * 60))));
  // Units are not divided, so a task may have one more of the largest than its fair share.
  const longest = seconds / tasks + work.largestUnitRows * secondsPerRow;
  const minutes = Math.ceil((longest * TIME_MARGIN) / 60) + START_MINUTES;
  return { tasks, memoryMb, minutes: Math.min(minutes, limits.maxTimeLimitMinutes) };
}

/** Seconds a row at the ninth decile, so that most tasks end sooner than expected; null with too few attempts. */
function slowRate(succeeded: readonly Measurement[]): number | null {
  if (succeeded.length < FEWEST) return null;
  const rates = succeeded.map((one) => Math.max(0, one.wallSeconds - one.importSeconds) / one.rows);
  return rates.sort((a, b) => a - b)[Math.floor(rates.length * 0.9)] ?? null;
}

function memoryOf(all: readonly Measurement[], succeeded: readonly Measurement[], limits: SizingLimits): number {
  const peak = Math.max(0, ...succeeded.map(({ peakRssBytes }) => peakRssBytes)) / 1024 ** 2;
  const measured = peak === 0 ? 0 : Math.ceil(peak * MEMORY_MARGIN) + WORKER_MEMORY_MB;
  const start = Math.max(measured, succeeded.length < FEWEST ? limits.memoryMb : LEAST_MEMORY_MB);
  // What ran out once is not tried again with as little.
  const exhausted = Math.max(0, ...all.filter(({ outcome }) => outcome === 'out-of-memory').map((one) => one.memoryMb));
  return Math.min(Math.max(start, exhausted === 0 ? 0 : raised(exhausted)), limits.maxMemoryMb);
}

/** What the next try gets of what ran out: twice as much, so that a cap of eight times is reached in three tries. */
export function raised(value: number): number {
  return value * 2;
}
