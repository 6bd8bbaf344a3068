/** What every error of ours carries, so that a person and a state machine both know what to do next. */
export interface ErrorDetails {
  /** Stable and greppable, for instance `MANIFEST_UNREADABLE`. */
  readonly code: string;
  /** One sentence on what the reader can do about it. */
  readonly hint: string;
  readonly cause?: unknown;
}

/**
 * The base of our errors. `name` is what a state machine's Retry and Catch match on, so subclasses set it explicitly:
 * a minifier may rename a class.
 */
export abstract class PonteError extends Error {
  readonly code: string;
  readonly hint: string;
  abstract readonly retryable: boolean;

  constructor(message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = details.code;
    this.hint = details.hint;
  }
}

/** The request or the data is wrong; trying again with the same input cannot help. */
export class InputError extends PonteError {
  override readonly name = 'InputError';
  readonly retryable = false;
}

/** Something outside did not answer as it should; the same request may succeed later. */
export class TransientError extends PonteError {
  override readonly name = 'TransientError';
  readonly retryable = true;
}

/** An invariant of ours does not hold. A person must look; nothing retries this. */
export class InvariantError extends PonteError {
  override readonly name = 'InvariantError';
  readonly retryable = false;
}

const KINDS = [InputError, TransientError, InvariantError];
const SAMPLE: ErrorDetails = { code: 'SAMPLE', hint: '' };

/** The names that a state machine must not retry on: generated from `retryable`, never typed by hand. */
export const FINAL_ERROR_NAMES: readonly string[] = KINDS.map((Kind) => new Kind('', SAMPLE))
  .filter((error) => !error.retryable)
  .map((error) => error.name);
