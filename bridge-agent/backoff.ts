/** Five minutes: long enough to leave a sick service alone, short enough to go on soon after it is well. */
const LONGEST_MILLISECONDS = 300_000;

/** 1, 2, 4, 8 ... seconds. @param tries failed tries so far. */
export function backoffMilliseconds(tries: number): number {
  return Math.min(1000 * 2 ** tries, LONGEST_MILLISECONDS);
}
