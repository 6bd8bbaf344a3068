import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Bench, BenchRun, Figure } from '#bench/bench.ts';
import { measure } from '#bench/paired.ts';
import { patchedSky } from '#test/hats/patched-sky.ts';
import { buildCatalogue, writeParts } from '#test/hats/synthetic-catalogue.ts';

/** 18,000 square degrees at 20e9 and 40e9 objects: partitions of at most a million rows are pixels of these orders. */
const SURVEYS = [
  { name: '20e9', order: 6, partitions: 21_500, rows: 930_000 },
  { name: '40e9', order: 7, partitions: 86_000, rows: 465_000 },
] as const;
/** Of the partition that is looked at, with p(z) of two algorithms. */
const ROWS = 100_000;
/** What `infra/campaign-functions.ts` gives the steps. */
const FUNCTION = { lookMiB: 2048, surveyMiB: 4096, seconds: 15 * 60 } as const;
const STEP = join(import.meta.dirname, 'verification', 'step.ts');

/** `npm run bench -- verification` */
export const bench: Bench = {
  summary: 'What each step of a verification takes: one partition, and lists and records of 20e9 and 40e9 objects',
  minutes: 3,
  run: measureSteps,
};

async function measureSteps({ folder, say, figure }: BenchRun): Promise<void> {
  say(`packing one partition of ${ROWS} rows ...`);
  const sky = patchedSky([[20, -30]]);
  const parts = await writeParts(join(folder, 'parts'), ROWS, 1, { withPdfs: true, sky });
  await buildCatalogue(join(folder, 'collection'), parts, 2 * ROWS);
  const tell = (name: string, value: number, unit: string, aim: number | null = null) =>
    figure({ name, value, unit, better: 'lower', aim } satisfies Figure);
  const step = (name: string, survey: readonly string[] = []) =>
    measure({ argv: [process.execPath, STEP, name, folder, ...survey] });
  const look = await step('look');
  tell('look_cpu_per_million_rows', (look.cpuSeconds * 1e6) / ROWS, 's', FUNCTION.seconds);
  tell(`look_at_${ROWS}_rows_peak_memory`, look.peakBytes / 2 ** 20, 'MiB', FUNCTION.lookMiB);
  for (const { name, order, partitions, rows } of SURVEYS) {
    await mkdir(join(folder, 'lake'), { recursive: true });
    await writeFile(join(folder, 'refs.json'), '{}');
    for (const each of ['plan', 'ids', 'whole']) {
      const { peakBytes, wallSeconds } = await step(each, [String(order), String(partitions), String(rows)]);
      say(`${name}: ${each} took ${wallSeconds.toFixed(0)} s`);
      tell(`${each}_of_${name}_wall`, wallSeconds, 's', FUNCTION.seconds);
      tell(`${each}_of_${name}_peak_memory`, peakBytes / 2 ** 20, 'MiB', FUNCTION.surveyMiB);
    }
    const { leaves } = z
      .looseObject({ leaves: z.int() })
      .parse(JSON.parse(await readFile(join(folder, 'refs.json'), 'utf8')));
    if (leaves !== partitions) throw new Error(`the last step judged ${leaves} partitions of ${partitions}`);
  }
}
