import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { inOrder } from '#core/in-order.ts';

const collect = async <T>(results: AsyncIterable<T>) => {
  const found: T[] = [];
  for await (const result of results) found.push(result);
  return found;
};

test.each([
  1, 3, 8, 100,
])('results come in the order of the items, %d at a time, however long each takes', async (ahead) => {
  let [underWay, most] = [0, 0];
  const work = async (item: number) => {
    underWay += 1;
    most = Math.max(most, underWay);
    await sleep((item * 7) % 5);
    underWay -= 1;
    return item * 2;
  };

  expect(await collect(inOrder(Array(20).keys(), ahead, work))).toEqual(
    Array.from(Array(20).keys(), (item) => item * 2),
  );
  expect(most).toBe(Math.min(ahead, 20));
});

test('what fails is said in its turn, and later failures disturb nobody', async () => {
  const seen: number[] = [];
  const attempt = async () => {
    for await (const result of inOrder([0, 1, 2, 3], 4, async (item) =>
      item < 2 ? item : Promise.reject(new Error(`${item}`)),
    )) {
      seen.push(result);
    }
  };

  await expect(attempt()).rejects.toThrow('2');
  expect(seen).toEqual([0, 1]);
});
