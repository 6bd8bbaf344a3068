import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { z } from 'zod';
import { verifyCatalogue } from '#adapters/hats-verifier.ts';
import { openCloud } from '#cli/context.ts';
import { readModel, releaseParts } from '#core/campaign-book.ts';
import { PACKET } from '#core/hats/layout.ts';
import { packetSchema } from '#core/hats/packet.ts';
import { jobResultSchema } from '#core/job.ts';
import { estimateRowKey, estimateRowSchema } from '#core/work.ts';
import { DEMO_RELEASE, type DemoResult } from '#local/demo.ts';
import { run } from '#local/process.ts';
import { ensureRailEnvironment } from '#local/rail-environment.ts';
import { log, pythonHome } from '#test/e2e/demo-home.ts';
import { runChecker } from '#test/python/checkers.ts';

const ALL_ROWS = 20_449;
/** The place of the chunk that the demo damages; local/demo.ts. */
const DAMAGED = 3;

/** The delivered table is all rows less exactly those of the damaged chunk, each once, as LSDB and brute force see it. */
export async function expectWholeTable({ report, folder, data }: DemoResult): Promise<void> {
  const missing = data.manifest.chunks[DAMAGED]?.rows ?? 0;
  const rows = ALL_ROWS - missing;
  expect(missing).toBeGreaterThan(0);
  expect(report.campaign.state).toBe('delivered');
  expect(report.rows).toEqual({ expected: rows, delivered: rows });
  expect(report.chunks.skinny).toBe(5);
  expect(report.chunks.quarantined.map((chunk) => chunk.name)).toEqual([data.manifest.chunks[DAMAGED]?.name]);
  expect(report.chunks.quarantined[0]?.codes).toEqual(['MANIFEST_MISMATCH']);

  const verified = await verifyCatalogue({ source: folder, expectedRows: rows });
  expect(verified.findings).toEqual([]);
  expect(verified.notes).toEqual([]);
  expect(verified.sound).toBe(true);
  const seen = await runChecker('test/lsdb/check_catalogue.py', folder, '--expected-rows', String(rows));
  const checked = z.looseObject({ rows: z.number() }).parse(JSON.parse(seen.trim().split('\n').at(-1) ?? ''));
  expect(checked.rows).toBe(rows);
  const { algorithms } = packetSchema.parse(JSON.parse(await readFile(join(folder, PACKET), 'utf8')));
  expect(algorithms.filter(({ configuration }) => configuration === null)).toEqual([]);
  const parts = await runChecker('test/lsdb/check_parts.py', folder);
  log(parts.trim().split('\n').at(-1) ?? '');
}

/** Every part was estimated once by every algorithm, the sums of rows are right, and the budget's books are even. */
export async function expectEachPartOnce(home: string, { report }: DemoResult): Promise<void> {
  const cloud = await openCloud(home);
  const { campaign, release } = report.campaign;
  const outputs = new Set<string>();
  let parts = 0;
  for await (const part of releaseParts(cloud.table, release)) {
    parts += 1;
    for (const algorithm of ['bpz', 'fzboost']) {
      const {
        pk: _pk,
        sk: _sk,
        ...row
      } = z
        .looseObject({ pk: z.string(), sk: z.string() })
        .parse(await cloud.table.get(estimateRowKey(campaign, part.partId, algorithm)));
      const estimated = estimateRowSchema.parse(row);
      expect(estimated.rows).toBe(part.rows);
      outputs.add(estimated.key);
    }
  }
  expect(parts).toBe(report.campaign.parts);
  expect(outputs.size).toBe(2 * parts);
  const { microUsdAvailable, microUsdSpent, coreSecondsAvailable, coreSecondsSpent } = report.ledger;
  expect(microUsdAvailable + microUsdSpent).toBe(1_000_000);
  expect(coreSecondsAvailable + coreSecondsSpent).toBe(40_000);
}

const plainSchema = z.array(
  z.looseObject({ sameIds: z.boolean(), sameGrid: z.boolean(), sameBits: z.boolean(), shape: z.array(z.int()) }),
);

/** p(z) that came back through the pipeline, against RAIL called plainly on ten random rows of the same part, bit for bit. */
export async function expectPlainRail(home: string, { report }: DemoResult, algorithm: string): Promise<void> {
  const cloud = await openCloud(home);
  const { campaign } = report.campaign;
  const { python, env } = await ensureRailEnvironment({ home: pythonHome, log });
  const folder = join(home, 'plain', algorithm);
  await mkdir(folder, { recursive: true });
  const [part] = await firstPart(home);
  if (!part) throw new Error('the release has no part');
  const model = await readModel(cloud.table, campaign, algorithm);
  const points = z
    .looseObject({ key: z.string() })
    .parse(await cloud.table.get(estimateRowKey(campaign, part.partId, algorithm)));
  const output = (name: string) => outputBeside(home, points.key, part.partId, name);
  const paths = {
    model: join(folder, 'model.pkl'),
    part: join(folder, 'part.parquet'),
    pdf: join(folder, 'pdf.parquet'),
    archive: join(folder, 'archive.hdf5'),
  };
  await cloud.lake.getFile(model.key, paths.model, model.sha256);
  await cloud.lake.getFile(part.skinny.key, paths.part, part.skinny.sha256);
  await cloud.lake.getFile(await output('pdf'), paths.pdf);
  await cloud.lake.getFile(await output('archive'), paths.archive);
  const script = join(import.meta.dirname, '..', 'rail', 'rail_fixture.py');
  const compare = async (...args: readonly string[]) => {
    const printed = await run([python, '-W', 'ignore', script, ...args], { env: { ...process.env, ...env } });
    return JSON.parse(printed);
  };
  for (const comparison of plainSchema.parse(await compare('plain', algorithm, paths.model, paths.part, paths.pdf))) {
    expect(comparison).toMatchObject({ sameIds: true, sameGrid: true, sameBits: true, shape: [10, 301] });
  }
  const { model: trained, part: input, archive, pdf } = paths;
  const whole = await compare('archived', algorithm, trained, input, archive, pdf);
  expect(whole).toMatchObject({ sameIds: true, different: [], unlikeRule: 0 });
}

async function firstPart(home: string) {
  const cloud = await openCloud(home);
  for await (const part of releaseParts(cloud.table, DEMO_RELEASE)) return [part];
  return [];
}

/** What came with these points: outputs of one unit of one job, listed in the job's result. */
async function outputBeside(home: string, pointsKey: string, unitId: string, name: string): Promise<string> {
  const { lake } = await openCloud(home);
  const prefix = pointsKey.slice(0, pointsKey.lastIndexOf(`/${unitId}/`));
  const keys: string[] = [];
  // One per lease of a site under which the job came to an end.
  for await (const { key } of lake.list(`${prefix}/result`)) {
    const result = jobResultSchema.parse(JSON.parse(new TextDecoder().decode((await lake.getBytes(key)) ?? undefined)));
    const found = result.outputs.find((output) => output.unitId === unitId && output.name === name);
    if (found) keys.push(found.key);
  }
  expect(new Set(keys).size).toBe(1);
  return z.string().parse(keys[0]);
}
