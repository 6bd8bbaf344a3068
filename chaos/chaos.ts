/** What came of a campaign against one part of Ponte. */
export interface ChaosOutcome {
  /** What happened, in words -> how often. */
  readonly counts: Readonly<Record<string, number>>;
  /** Other numbers worth telling, for instance `slowestMilliseconds`. */
  readonly figures: Readonly<Record<string, number>>;
  /** What must not be, a line each; none means that it stood. */
  readonly wrong: readonly string[];
}

export interface ChaosRun {
  /** Empty, absolute, removed afterwards. */
  readonly folder: string;
  /** For programs that it starts: Python environments lie below it. */
  readonly home: string;
  readonly rounds: number;
  /** The round that comes first, to go on or to look at one again. */
  readonly from: number;
  /** Equal seeds do equal things. */
  readonly seed: string;
  /** Prints progress, never on standard output. */
  say(line: string): void;
}

/** A file `chaos/NAME.ts` exports one of these as `chaos`. */
export interface Chaos {
  /** What is broken, and what must hold, in one sentence. */
  readonly summary: string;
  /** Unless `--rounds` says otherwise. */
  readonly rounds: number;
  /** What that many rounds take on 2 cores. */
  readonly minutes: number;
  run(run: ChaosRun): Promise<ChaosOutcome>;
}
