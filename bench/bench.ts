/** One measured number, as `npm run bench -- NAME --json` prints it: one object a line. */
export interface Figure {
  /** Lower-case words joined by `_`, unique within the bench. */
  readonly name: string;
  readonly value: number;
  /** For instance `rows/s`, `MiB`, `ratio`. */
  readonly unit: string;
  readonly better: 'lower' | 'higher';
  /** What it should reach; null where it is only told. */
  readonly aim: number | null;
}

export interface BenchRun {
  /** Empty, absolute, removed afterwards. */
  readonly folder: string;
  /** For programs that a bench starts: Python environments lie below it. */
  readonly home: string;
  /** What stands behind NAME on the command line. */
  readonly options: readonly string[];
  /** Prints progress, never on standard output. */
  say(line: string): void;
  figure(figure: Figure): void;
}

/** A file `bench/NAME.ts` exports one of these as `bench`. */
export interface Bench {
  /** What is compared with what, in one sentence. */
  readonly summary: string;
  /** What is to be expected on 2 cores. */
  readonly minutes: number;
  run(run: BenchRun): Promise<void>;
}
