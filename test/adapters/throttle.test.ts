import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Throttle } from '#adapters/throttle.ts';

// By a clock of the test's own; the promise of node:timers is given on with it.
vi.mock('node:timers/promises', () => ({
  setTimeout: (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
}));
beforeEach(() => vi.useFakeTimers({ toFake: ['performance', 'setTimeout'] }));
afterEach(() => vi.useRealTimers());

/** The moments, in milliseconds, at which pieces may go that all ask at once. */
async function moments(throttle: Throttle, sizes: readonly number[]): Promise<readonly number[]> {
  const began = performance.now();
  const gone: number[] = [];
  const all = Promise.all(sizes.map((size) => throttle.take(size).then(() => gone.push(performance.now() - began))));
  await vi.runAllTimersAsync();
  await all;
  return gone;
}

it('lets each piece go when the ones before it have had their time', async () => {
  expect(await moments(new Throttle(1000), [100, 300, 50, 100])).toEqual([0, 100, 400, 450]);
});

it('owes nothing for a pause: what was not used then is not made up for', async () => {
  const throttle = new Throttle(1000);
  await moments(throttle, [100]);
  await vi.advanceTimersByTimeAsync(10_000);

  expect(await moments(throttle, [100, 100])).toEqual([0, 100]);
});

it('holds nothing back without a limit', async () => {
  expect(await moments(new Throttle(null), [1e9, 1e9, 1e9])).toEqual([0, 0, 0]);
});
