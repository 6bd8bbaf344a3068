import { expect, test } from 'vitest';
import { progressLines } from '#cli/progress-lines.ts';

function watch() {
  const lines: string[] = [];
  let at = 1_000_000;
  const show = progressLines(
    (line) => lines.push(line),
    () => at,
  );
  return {
    lines,
    after: (seconds: number, ...what: Parameters<typeof show>) => {
      at += 1000 * seconds;
      show(...what);
    },
  };
}

test('the time left is that of the speed since the thing was first heard of', () => {
  const { lines, after } = watch();

  // 400 of 1000 were there before: 100 in 10 s leave 500, 50 s.
  after(0, 'north', 400, 1000);
  after(10, 'north', 500, 1000);

  expect(lines).toEqual(['north: 50 %, about 50 s left']);
});

test('each thing is shown at most every two seconds, by itself', () => {
  const { lines, after } = watch();

  after(0, 'rows', 0, 100);
  after(1, 'rows', 10, 100);
  after(0, 'ids', 0, 2);
  after(1, 'rows', 20, 100);
  after(1, 'rows', 30, 100);
  after(0, 'ids', 0, 2);

  expect(lines).toEqual(['rows: 20 %, about 8 s left', 'ids: 0 %']);
});

test('nothing to do is all done', () => {
  const { lines, after } = watch();

  after(0, 'footers', 0, 0);
  after(3, 'footers', 0, 0);

  expect(lines).toEqual(['footers: 100 %']);
});
