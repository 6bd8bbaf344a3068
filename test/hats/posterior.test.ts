import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { quoteLiteral, withDatabase } from '#adapters/duckdb.ts';
import { packParts } from '#adapters/hats-parts-packer.ts';
import { run } from '#local/process.ts';
import { ensureRailEnvironment } from '#local/rail-environment.ts';
import { patchedSky } from './patched-sky.ts';
import { buildCatalogue, packBase, partsBase, type SyntheticParts, writeParts } from './synthetic-catalogue.ts';

const HOME = join(import.meta.dirname, '..', '..', '.ponte');
const SCRIPT = join(import.meta.dirname, '..', 'python', 'posterior_error.py');

let folder: string;
let parts: SyntheticParts;
let rail: Awaited<ReturnType<typeof ensureRailEnvironment>>;

beforeAll(async () => {
  rail = await ensureRailEnvironment({ home: HOME, log: (line) => console.log(line) });
  folder = await mkdtemp(join(tmpdir(), 'ponte-posterior-'));
  const sky = patchedSky([[53.1, -28.1]]);
  parts = await writeParts(join(folder, 'parts'), 2_000, 1, { withPdfs: true, sky });
  await runScript('pack', ...Object.values(parts.pdfs).flat());
}, 600_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

const runScript = (...args: readonly string[]) =>
  run([rail.python, '-W', 'ignore', SCRIPT, ...args], { env: { ...process.env, ...rail.env } });

const answerSchema = z.object({
  rows: z.int(),
  unlike_worker: z.int(),
  peak_relative: z.number(),
  qp_unpacked_relative: z.number(),
  w1_median: z.number(),
  w1_99: z.number(),
  nz_l1: z.number(),
});

test('the packer leaves the bytes of the worker alone, qp unpacks them, and little is lost', {
  timeout: 120_000,
}, async () => {
  const { folder: collection } = await buildCatalogue(join(folder, 'collection'), parts, 5_000);
  const [pdf = ''] = parts.pdfs.bpz ?? [];

  const printed = await runScript('compare', 'bpz', pdf, collection);

  console.log(printed.trim());
  const answer = answerSchema.parse(JSON.parse(printed.trim().split('\n').at(-1) ?? ''));
  expect(answer).toMatchObject({ rows: 2_000 - Math.ceil(2_000 / 89), unlike_worker: 0 });
  // A FLOAT of the peak has 24 bits.
  expect(answer.peak_relative).toBeLessThan(2 ** -23);
  expect(answer.qp_unpacked_relative).toBeLessThan(1e-12);
  // The cumulative distribution is off by less than a step, of the some 2,500 that the narrowest p(z) adds up to.
  expect(answer.w1_99).toBeLessThan(0.001);
  expect(answer.nz_l1).toBeLessThan(0.0005);
});

test('p(z) on another grid, or missing for an object with estimates, is refused', async () => {
  const wrong = join(folder, 'wrong.parquet');
  const pack = (bpz: readonly string[]) =>
    packParts({
      ...packBase('', parts),
      ...partsBase(join(folder, 'refused'), parts),
      pixel: { order: 0, pixel: 8 },
      pdfs: { ...parts.pdfs, bpz },
    });
  const select = `SELECT * FROM ${quoteLiteral(parts.pdfs.bpz?.[0] ?? '')}`;
  await withDatabase({}, (database) =>
    database.run(`COPY (${select}) TO ${quoteLiteral(wrong)}
      (FORMAT parquet, KV_METADATA {'ponte.grid': '{"zMin": 0.0, "zMax": 6.0, "points": 301}'})`),
  );

  await expect(pack([wrong])).rejects.toMatchObject({ code: 'GRID_DIFFERS' });
  await expect(pack([])).rejects.toMatchObject({ code: 'POSTERIOR_MISSING' });
});
