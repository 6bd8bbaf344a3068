import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Bench, BenchRun } from '#bench/bench.ts';
import { median, medianRatio } from '#bench/paired.ts';
import { makeDemoData } from '#local/demo-data.ts';
import { run } from '#local/process.ts';
import { ensureRailEnvironment } from '#local/rail-environment.ts';
import { makePart, type Rail, trainModel } from '#test/rail/rail-worker.ts';

const SCRIPT = join(import.meta.dirname, 'estimate.py');
/** Where the flame graphs of docs/performance.md lie. */
const FLAMES = join(import.meta.dirname, '..', 'docs', 'flames');
const ROWS = 2_000;
const ROUNDS = 3;
const TRAINED = 2_000;
/** Those that bridge-agent/rail/ponte_rail/faster.py is about. */
const FASTER = ['bpz', 'tpz', 'dnf'];

const comparisonSchema = z.strictObject({
  rows: z.int(),
  seconds: z.strictObject({ plain: z.array(z.number()), faster: z.array(z.number()) }),
  equal: z.boolean(),
});

/** `npm run bench -- estimate [ALGORITHM,...] [rows=N] [rounds=N] [trained=N] [flames]` */
export const bench: Bench = {
  summary: 'CPU of RAIL’s own BPZ, TPZ and DNF against the worker’s, slice by slice, and whether a bit of p(z) differs',
  minutes: 3,
  run: measureEstimate,
};

async function measureEstimate(bench: BenchRun): Promise<void> {
  const number = (name: string, otherwise: number) =>
    Number(bench.options.find((option) => option.startsWith(`${name}=`))?.split('=')[1] ?? otherwise);
  const flames = bench.options.includes('flames');
  const named = bench.options
    .filter((option) => !option.includes('=') && option !== 'flames')
    .flatMap((option) => option.split(','));
  const { python, env } = await ensureRailEnvironment({ home: bench.home, log: bench.say });
  const demo = await makeDemoData({ python, folder: join(bench.folder, 'demo'), log: bench.say });
  const rail: Rail = { python, env: { ...process.env, ...env }, demo, folder: bench.folder };
  const part = await makePart(rail, 'part.parquet', 0, number('rows', ROWS));
  if (flames) await mkdir(FLAMES, { recursive: true });
  for (const algorithm of named.length > 0 ? named : FASTER) {
    bench.say(`${algorithm}: both sides in turn ...`);
    const model = await trainModel(rail, algorithm, number('trained', TRAINED));
    const args = [algorithm, model, part, String(number('rounds', ROUNDS)), ...(flames ? [FLAMES] : [])];
    const output = await run([rail.python, '-W', 'ignore', SCRIPT, ...args], { env: rail.env });
    const { rows, seconds, equal } = comparisonSchema.parse(JSON.parse(output));
    if (!equal) throw new Error(`${algorithm}: p(z) differ from RAIL's; see bridge-agent/rail/ponte_rail/faster.py`);
    const each = (values: readonly number[]) => (1000 * median(values)) / rows;
    const told = { unit: 'ms of CPU', better: 'lower', aim: null } as const;
    bench.figure({ name: `${algorithm}_rail_ms_per_object`, value: each(seconds.plain), ...told });
    bench.figure({ name: `${algorithm}_worker_ms_per_object`, value: each(seconds.faster), ...told });
    const ratio = medianRatio(seconds.plain, seconds.faster);
    bench.figure({ name: `${algorithm}_times_as_fast`, value: ratio, unit: 'ratio', better: 'higher', aim: null });
  }
}
