import { readdirSync, readFileSync } from 'node:fs';

export interface Threads {
  /**
   * How many ran or waited for a processor at once, in all processes together, but for one look in twenty: allocators
   * clean up in a thread of their own now and then, and a worker looks up when a child ends.
   */
  readonly running: number;
  /** The same in the look that saw most. */
  readonly most: number;
  /** Most processes at once below one worker. */
  readonly children: number;
  readonly looks: number;
}

const EVERY_MS = 4;

/** Looks at workers and all that they start, again and again, until `stop()`. */
export function watchThreads(workers: readonly number[]): { stop(): Threads } {
  const running: number[] = [];
  let children = 0;
  const timer = setInterval(() => {
    const trees = workers.map((worker) => treeOf(worker));
    running.push(trees.flat().reduce((sum, pid) => sum + runningIn(pid), 0));
    children = Math.max(children, ...trees.map((tree) => tree.length - 1));
  }, EVERY_MS);
  return {
    stop: () => {
      clearInterval(timer);
      const sorted = running.toSorted((a, b) => a - b);
      const usual = sorted[Math.floor((sorted.length - 1) * 0.95)] ?? 0;
      return { running: usual, most: sorted.at(-1) ?? 0, children, looks: sorted.length };
    },
  };
}

/** A process and its descendants. */
function treeOf(pid: number): number[] {
  const children = tasksOf(pid).flatMap((task) => read(`/proc/${pid}/task/${task}/children`).trim().split(/\s+/));
  return [pid, ...children.filter((child) => child !== '').flatMap((child) => treeOf(Number(child)))];
}

/** Threads in the state `R` of proc(5): they run or would like to. */
function runningIn(pid: number): number {
  return tasksOf(pid).filter((task) => read(`/proc/${pid}/task/${task}/stat`).includes(') R ')).length;
}

function tasksOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return []; // it has ended
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
