import { join } from 'node:path';
import type { Bench, BenchRun } from '#bench/bench.ts';
import { joinedPath, writeInput } from '#bench/pack/input.ts';
import { inTurn, median, medianRatio } from '#bench/paired.ts';
import { ensurePythonEnvironment } from '#local/python-environment.ts';

const ROWS = 3_000_000;
const ROUNDS = 3;
const THRESHOLD = 200_000;
const HERE = join(import.meta.dirname, 'pack');

/** `npm run bench -- pack [ROWS] [ROUNDS]` */
export const bench: Bench = {
  summary: `Leaves and metadata of ${ROWS} objects with two algorithms, against hats-import on the same rows`,
  minutes: 8,
  run: measurePack,
};

/** Both on two processes or threads, in wall time; ours also joins the points, and takes its counts from intake. */
async function measurePack({ folder, home, options, say, figure }: BenchRun): Promise<void> {
  const rows = Number(options[0] ?? ROWS);
  const lockFile = join(HERE, 'requirements.txt');
  const { python } = await ensurePythonEnvironment({ name: 'hats-import', lockFile, home, log: say });
  const input = join(folder, 'input');
  say(`writing ${rows} rows ...`);
  const parts = await writeInput(input, rows);
  const files = Array.from({ length: parts }, (_, part) => joinedPath(input, part));
  const threshold = String(THRESHOLD);
  const usage = await inTurn(
    {
      ponte: { argv: [process.execPath, join(HERE, 'pack.ts'), input, join(folder, 'ponte'), threshold] },
      hatsImport: {
        argv: [python, '-W', 'ignore', join(HERE, 'hats_import_pack.py'), join(folder, 'theirs'), threshold, ...files],
      },
    },
    Number(options[1] ?? ROUNDS),
    say,
  );
  const seconds = (name: 'ponte' | 'hatsImport') => usage(name).map(({ wallSeconds }) => wallSeconds);
  const peak = (name: 'ponte' | 'hatsImport') => median(usage(name).map(({ peakBytes }) => peakBytes)) / 2 ** 20;
  const told = { better: 'lower', aim: null } as const;
  const [ours, theirs] = [seconds('ponte'), seconds('hatsImport')];
  figure({ name: 'rows_per_second', value: rows / median(ours), unit: 'rows/s', better: 'higher', aim: null });
  figure({
    name: 'hats_import_rows_per_second',
    value: rows / median(theirs),
    unit: 'rows/s',
    better: 'higher',
    aim: null,
  });
  figure({ name: 'ratio_to_hats_import', value: medianRatio(theirs, ours), unit: 'ratio', better: 'higher', aim: 3 });
  figure({ name: 'peak_memory', value: peak('ponte'), unit: 'MiB', ...told });
  // Of the largest of its processes: two workers and their scheduler.
  figure({ name: 'hats_import_peak_memory', value: peak('hatsImport'), unit: 'MiB', ...told });
}
