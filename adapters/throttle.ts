import { setTimeout as sleep } from 'node:timers/promises';

/** Holds what passes through it to so many bytes a second, averaged over the pieces. */
export class Throttle {
  readonly #bytesPerSecond: number;
  #freeAt = 0;

  /** @param bytesPerSecond without limit when null. */
  constructor(bytesPerSecond: number | null) {
    this.#bytesPerSecond = bytesPerSecond ?? Number.POSITIVE_INFINITY;
  }

  /** Resolves when a piece of this size may go. @throws the signal's reason. */
  async take(bytes: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const now = performance.now();
    const start = Math.max(now, this.#freeAt);
    this.#freeAt = start + (1000 * bytes) / this.#bytesPerSecond;
    if (start > now) await sleep(start - now, undefined, signal ? { signal } : {});
  }
}
