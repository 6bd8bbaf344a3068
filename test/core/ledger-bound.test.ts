import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MemoryTable } from '#adapters/memory-table.ts';
import type { Key, Table, Write } from '#core/table.ts';
import { type Round, reserveAtOnce, seeded } from '#test/core/many-reservers.ts';

/** PONTE_ROUNDS=10000 is the long form: some minutes. */
const ROUNDS = Number(process.env.PONTE_ROUNDS ?? 500);

/** A table whose answers come in any order: each call waits for a random number of turns, before and after. */
function shuffled(table: Table, random: () => number): Table {
  const turns = async () => {
    for (let turn = Math.floor(random() * 6); turn > 0; turn -= 1) await Promise.resolve();
  };
  const around = async <T>(call: () => Promise<T>): Promise<T> => {
    await turns();
    const answer = await call();
    await turns();
    return answer;
  };
  return {
    get: (key: Key) => around(() => table.get(key)),
    query: (pk, prefix, page) => around(() => table.query(pk, prefix, page)),
    write: (writes: readonly [Write, ...Write[]]) => around(() => table.write(writes)),
  };
}

it(`64 reservers at once, ${ROUNDS} rounds: never over a cap by one unit, nothing left held`, async () => {
  const total: Round[] = [];
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (seed) => {
      const random = seeded(seed);
      total.push(await reserveAtOnce(shuffled(new MemoryTable(), random), 'c', random));
    }),
    { numRuns: ROUNDS },
  );
  // Both answers were given, or the rounds showed nothing.
  expect(total.reduce((sum, round) => sum + round.refused, 0)).toBeGreaterThan(ROUNDS);
  expect(total.reduce((sum, round) => sum + round.leased, 0)).toBeGreaterThan(ROUNDS);
}, 1_800_000);
