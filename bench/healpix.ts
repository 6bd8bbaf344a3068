import { join } from 'node:path';
import { z } from 'zod';
import { parquetRelation, quoteLiteral, withDatabase } from '#adapters/duckdb.ts';
import type { Bench } from '#bench/bench.ts';
import { healpix29Sql } from '#core/healpix.ts';
import { prepareCheckers, runChecker } from '#test/python/checkers.ts';

const RANDOM = 10_000_000;

/** Of each of nine orders; with their neighbouring doubles, the poles and the meridians more than a million points. */
const VERTICES = 9000;

const madeSchema = z.object({ points: z.int() });
const judgedSchema = z.object({ mismatches: z.int() });

/** The long form of test/hats/healpix.test.ts: our `_healpix_29` beside that of cdshealpix. */
export const bench: Bench = {
  summary:
    '_healpix_29 beside that of cdshealpix on 10 million random points and a million at poles, meridians and vertices',
  minutes: 2,
  async run({ folder, say, figure }) {
    await prepareCheckers();
    const [points, indexed] = [join(folder, 'points.parquet'), join(folder, 'indexed.parquet')];
    const script = 'test/python/healpix_points.py';
    say('making the points ...');
    const args = ['--random', String(RANDOM), '--vertices', String(VERTICES)];
    const made = madeSchema.parse(JSON.parse(await runChecker(script, 'make', points, ...args)));
    say(`computing the index of ${made.points} points ...`);
    const sql = healpix29Sql(parquetRelation([points]), 'ra', 'dec');
    await withDatabase({}, (database) => database.run(`COPY (${sql}) TO ${quoteLiteral(indexed)} (FORMAT parquet)`));
    say('comparing ...');
    const { mismatches } = judgedSchema.parse(JSON.parse(await runChecker(script, 'judge', indexed)));
    const common = { unit: 'points', aim: null } as const;
    figure({ ...common, name: 'random_points', value: RANDOM, better: 'higher' });
    figure({ ...common, name: 'hard_points', value: made.points - RANDOM, better: 'higher' });
    figure({ ...common, name: 'mismatches', value: mismatches, better: 'lower', aim: 0 });
  },
};
