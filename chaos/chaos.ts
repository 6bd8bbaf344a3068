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
  /** Fires at Ctrl-C: the run then ends what it started and rejects. */
  readonly signal: AbortSignal;
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

/** The work's result, unless the signal fires first: then it rejects, and what the work still does is nobody's concern. */
export function unlessInterrupted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const interrupted = new Promise<never>((_resolve, reject) => {
    const stop = () => reject(new Error('interrupted'));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  return Promise.race([work, interrupted]);
}
