import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withDatabase } from '#adapters/duckdb.ts';
import { MemoryTable } from '#adapters/memory-table.ts';
import { writeSkinnyParts } from '#adapters/skinny-writer.ts';
import { readValues } from '#adapters/value-reader.ts';
import { releaseReport } from '#cli/operations/release-report.ts';
import { chunkId, chunkKey, summaryObjectKey } from '#core/chunk.ts';
import { type ChunkSummary, chunkSummarySchema, type IdSample } from '#core/chunk-summary.ts';
import { sha256 } from '#core/digest.ts';
import type { Finding } from '#core/integrity.ts';
import { releasePage } from '#core/report/release-page.ts';
import { ReleaseMerger, type ReleaseReport } from '#core/report/release-summary.ts';
import { SharedIdFinder } from '#core/shared-ids.ts';
import { depthOf } from '#core/value-statistics.ts';
import { registerSample, sampleSpec } from '#test/core/sample-release.ts';
import { profileNamed, recipeNamed, type SurveyChunkOptions, writeSurveyChunk } from '#test/fixtures/survey-chunk.ts';

let folder = '';
const summaries: ChunkSummary[] = [];

/** What intake leaves of a chunk of DES. */
async function summaryOf(name: string, options: SurveyChunkOptions): Promise<ChunkSummary> {
  const path = join(folder, `${name}.parquet`);
  const profile = profileNamed('des-dr2');
  return withDatabase({ threads: 2 }, async (database) => {
    await writeSurveyChunk(database, path, 'des-dr2', options);
    const values = await readValues(database, path, profile);
    const derived = await writeSkinnyParts(database, path, folder, profile, recipeNamed('gold-dereddened'));
    if (values.kind === 'unreadable' || derived.kind === 'unreadable') throw new Error('unreadable');
    const { statistics } = values;
    const id = chunkId('des', name, sha256(name));
    const head = { version: 1, chunkId: id, name, rows: statistics.rows, values: statistics } as const;
    return chunkSummarySchema.parse({ ...head, ...derived.summary });
  });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ponte-report-'));
  // Six chunks of 4,000 rows; the second begins inside the first, and the last is shallower by a magnitude.
  const first = [0, 3500, 10_000, 20_000, 30_000, 40_000];
  for (const [index, from] of first.entries()) {
    const options = { rows: 4000, first: from, ...(index === 5 ? { shift: -1 } : {}) };
    summaries.push(await summaryOf(`tile-${index}`, options));
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function merged(...list: readonly ChunkSummary[]) {
  const merger = new ReleaseMerger();
  for (const summary of list) merger.add(summary);
  return merger.result();
}

test('a summary counts every row once, in every histogram', () => {
  const [summary] = summaries;
  const total = (histogram: Record<string, number> = {}) =>
    Object.values(histogram).reduce((sum, each) => sum + each, 0);

  expect(summary?.rows).toBe(4000);
  expect(summary?.keptRows).toBeLessThan(4000);
  expect(total(summary?.sky)).toBe(summary?.keptRows);
  expect(total(summary?.bands.i?.magnitudes)).toBe(summary?.bands.i?.detected);
  expect(total(summary?.bands.i?.errors)).toBe(summary?.bands.i?.detected);
  expect(summary?.bands.u).toMatchObject({ detected: 0, magnitudes: {} });
  expect(JSON.stringify(summary).length).toBeLessThan(60_000);
});

test('merging adds up, in any order', () => {
  const forward = merged(...summaries);
  const backward = merged(...[...summaries].reverse());

  const { depths: _forward, bands: _bands, ...sums } = forward;
  expect(backward).toMatchObject(sums);
  expect(forward).toMatchObject({ chunks: 6, rows: 24_000 });
  const kept = summaries.reduce((sum, { keptRows }) => sum + keptRows, 0);
  expect(forward.keptRows).toBe(kept);
  expect(Object.values(forward.sky).reduce((sum, each) => sum + each, 0)).toBe(kept);
});

test('the chunk that is unlike the others drifts, and only that one', () => {
  const list = summaries.map((summary, index) => withDepth(summary, index === 5 ? 24.1 : 25 + index / 100));

  const { drifts } = merged(...list);

  expect(drifts).toEqual([{ name: 'tile-5', band: 'z', depth: 24.1, median: expect.closeTo(25.015, 2) }]);
  expect(merged(...list.slice(2)).drifts).toEqual([]);
});

test('the depth of a chunk is that of the survey, although the cut ends before it', () => {
  const depths = summaries.map(({ values }) => (values.bands.i ? depthOf(values.bands.i) : null));

  // 26.4 mag, by the fixture.
  for (const depth of depths.slice(0, 5)) expect(depth).toBeCloseTo(26.4, 0);
});

/** As if only z had a depth, and this one. */
function withDepth(summary: ChunkSummary, depth: number): ChunkSummary {
  const bands: ChunkSummary['values']['bands'] = {};
  for (const [band, own] of Object.entries(summary.values.bands)) {
    const near = band === 'z' ? { objects: 100, sum: 100 * depth } : { objects: 0, sum: 0 };
    Object.assign(bands, { [band]: { ...own, depth: near } });
  }
  return { ...summary, values: { ...summary.values, bands } };
}

describe('objects in two chunks', () => {
  const sample = (ids: readonly number[], size: number): IdSample => {
    const hashes = ids.map((id) => sha256(String(id)).slice(0, 16)).sort();
    return { hashes: hashes.slice(0, size), complete: ids.length <= size };
  };
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);
  const pairs = (finder: SharedIdFinder, ids: Record<string, readonly number[]>, size = 512) => {
    for (const [name, list] of Object.entries(ids)) finder.add(name, sample(list, size));
    return finder.pairs();
  };

  test('are counted exactly in small chunks, per pair', () => {
    const ids = { b: range(90, 200), a: range(0, 100), c: range(95, 300) };

    expect(pairs(new SharedIdFinder(), ids)).toEqual([
      { chunks: ['b', 'c'], objects: 105, exact: true, sampled: 105 },
      { chunks: ['a', 'b'], objects: 10, exact: true, sampled: 10 },
      { chunks: ['a', 'c'], objects: 5, exact: true, sampled: 5 },
    ]);
  });

  test('are estimated in large ones', () => {
    const [pair] = pairs(new SharedIdFinder(), { a: range(0, 20_000), b: range(15_000, 40_000) });

    expect(pair?.exact).toBe(false);
    expect(pair?.sampled).toBeGreaterThan(50);
    expect(pair?.objects).toBeGreaterThan(5000 * 0.7);
    expect(pair?.objects).toBeLessThan(5000 * 1.3);
  });

  test('are still found when there are more samples than fit', () => {
    const many = Object.fromEntries(range(0, 40).map((n) => [`n${n}`, range(n * 1000 + 10_000, n * 1000 + 11_000)]));
    const [pair, ...others] = pairs(new SharedIdFinder(2000), { a: range(0, 1000), b: range(200, 1200), ...many });

    expect(pair?.chunks).toEqual(['a', 'b']);
    expect(pair?.objects).toBeGreaterThan(800 * 0.6);
    expect(pair?.objects).toBeLessThan(800 * 1.4);
    expect(others).toEqual([]);
  });

  test('come from what intake leaves of real chunks', () => {
    const { shared } = merged(...summaries);

    expect(shared.map(({ chunks }) => chunks)).toEqual([['tile-0', 'tile-1']]);
    expect(shared[0]?.objects).toBeGreaterThan(80);
  });
});

const finding: Finding = { code: 'FEW_EXTENDED', sentence: 'only <b>3 %</b> are extended', severity: 'flag' };

async function report(title = 'A sample'): Promise<ReleaseReport> {
  const table = new MemoryTable();
  await registerSample(table);
  const objects = new Map<string, Uint8Array>();
  const { release } = sampleSpec;
  for (const [index, summary] of summaries.entries()) {
    const { name } = summary;
    const id = chunkId(release, name, sha256(name));
    const bytes = new TextEncoder().encode(JSON.stringify(summary));
    const key = summaryObjectKey(id, 'one');
    objects.set(key, bytes);
    const refused = index === 3;
    const row = {
      ...{ chunkId: id, release, name, sha256: sha256(name), sizeBytes: 1, etag: 'e', execution: 'one' },
      ...{ state: refused ? 'quarantined' : 'skinny', claimedAt: '2026-01-01T00:00:00Z', settledAt: null, rows: 1 },
      ...{
        parts: 1,
        recipeDigest: null,
        revivals: 0,
        seconds: 1,
        findings: index === 2 || refused ? [{ ...finding }] : [],
      },
      summary: refused ? null : { key, sha256: sha256(bytes), sizeBytes: bytes.length },
    };
    await table.write([{ kind: 'put', item: { ...chunkKey(release, id), ...row } }]);
  }
  const lake = { getBytes: async (key: string) => objects.get(key) ?? null };
  return { ...(await releaseReport({ table, lake }, release)), title };
}

test('the report reads the rows and the summaries, of usable chunks only', async () => {
  const { states, quarantined, flagged, expected, summary } = await report();

  expect(states).toEqual({ skinny: 5, quarantined: 1 });
  expect(quarantined.map(({ name }) => name)).toEqual(['tile-3']);
  expect(flagged.map(({ name }) => name)).toEqual(['tile-2']);
  expect(expected).toBeNull();
  expect(summary).toMatchObject({ chunks: 5, rows: 20_000 });
});

test('the page loads nothing, runs nothing and escapes every text', async () => {
  const page = releasePage(await report(`<script>alert('x')</script>`));

  expect(page).not.toMatch(/<script|<link|<img|<iframe|\bsrc=|\bhref=|url\(|@import|\bon[a-z]+=|https?:/i);
  expect(page).toContain('only &lt;b&gt;3 %&lt;/b&gt; are extended');
  expect(page).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
  const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(page).not.toMatch(/NaN|undefined|Infinity/);
});

test('the page says what there is to know', async () => {
  const page = releasePage(await report());

  expect(page).toContain('In quarantine: 1.');
  expect(page).toContain('tile-0 and tile-1');
  expect(page).toContain('<dd>20,000</dd>');
  for (const band of ['g', 'r', 'i', 'z', 'y']) expect(page).toContain(`Errors in ${band}`);
  expect(page).toContain('Objects on the sky');
  expect(page.length).toBeLessThan(1_000_000);
});

test('a release without a chunk has a page too', async () => {
  const table = new MemoryTable();
  await registerSample(table);

  const page = releasePage(await releaseReport({ table, lake: { getBytes: async () => null } }, sampleSpec.release));

  expect(page).toContain('Nothing stands out.');
  expect(page).not.toMatch(/NaN|undefined|Infinity/);
});
