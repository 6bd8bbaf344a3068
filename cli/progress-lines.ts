/** How often the progress of one thing is shown. */
const EVERY_MS = 2000;

/**
 * Says how far things are, each at most every two seconds, with the time left at the speed so far. What is done when a
 * thing is first heard of, as after an interruption, does not count as speed.
 */
export function progressLines(
  say: (line: string) => void,
  now: () => number = Date.now,
): (thing: string, done: number, total: number) => void {
  const things = new Map<string, { readonly at: number; readonly done: number; shownAt: number }>();
  return (thing, done, total) => {
    const at = now();
    const begun = things.get(thing) ?? { at, done, shownAt: at };
    things.set(thing, begun);
    if (at - begun.shownAt < EVERY_MS) return;
    begun.shownAt = at;
    const share = total > 0 ? Math.floor((100 * done) / total) : 100;
    const speed = (done - begun.done) / (at - begun.at);
    const left = speed > 0 ? `, about ${Math.ceil((total - done) / speed / 1000)} s left` : '';
    say(`${thing}: ${share} %${left}`);
  };
}
