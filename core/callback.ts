import type { JobAnswer } from '#core/job.ts';

/** `gone`: nobody waits for this token any more (timed out, stopped, or answered before). */
export type CallbackOutcome = 'delivered' | 'gone';

/** The way back to the execution that waits for a task token. Throws TransientError when it cannot be reached. */
export interface TaskCallback {
  succeed(token: string, answer: JobAnswer): Promise<CallbackOutcome>;
  /** `error`: what the state machine's Retry and Catch match on. `cause`: a sentence for people. */
  fail(token: string, error: string, cause: string): Promise<CallbackOutcome>;
  heartbeat(token: string): Promise<CallbackOutcome>;
}
