import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parquetRelation, withDatabase } from '#adapters/duckdb.ts';
import { fileDigest } from '#adapters/file-digest.ts';
import { compareIds } from '#adapters/id-comparison.ts';
import { writeIds } from '#adapters/id-writer.ts';
import { MemoryObjectStore } from '#adapters/memory-object-store.ts';
import { MemoryTable } from '#adapters/memory-table.ts';
import { writeSkinnyParts } from '#adapters/skinny-writer.ts';
import { SliceFile } from '#adapters/slice-file.ts';
import { ChunkSummarizer } from '#adapters/summary-reader.ts';
import { readValues } from '#adapters/value-reader.ts';
import { registerKeyNumbers } from '#cli/operations/key-numbers.ts';
import { keepHeadline, releaseReport } from '#cli/operations/release-report.ts';
import { findSharedIds } from '#cli/operations/shared-ids.ts';
import { chunkId, chunkKey, lookObjectKey } from '#core/chunk.ts';
import { readRelease } from '#core/chunk-book.ts';
import { type ChunkSummary, chunkSummarySchema, idListSchema } from '#core/chunk-summary.ts';
import { sha256 } from '#core/digest.ts';
import type { Finding } from '#core/integrity.ts';
import { compareKeyNumbers } from '#core/key-numbers.ts';
import type { ObjectSlice } from '#core/object-slice.ts';
import type { Profile } from '#core/profile.ts';
import { releasePage } from '#core/report/release-page.ts';
import { ReleaseMerger, type ReleaseReport } from '#core/report/release-summary.ts';
import { type ChunkIds, overlappingGroups } from '#core/shared-ids.ts';
import { depthOf } from '#core/value-statistics.ts';
import { ensureChromium } from '#local/chromium.ts';
import { Browser, type View } from '#test/browser/browser.ts';
import { OVERFLOWS, PALE_TEXTS } from '#test/browser/page-checks.ts';
import { registerSample, sampleSpec } from '#test/core/sample-release.ts';
import { profileNamed, recipeNamed, type SurveyChunkOptions, writeSurveyChunk } from '#test/fixtures/survey-chunk.ts';

/** Holds the page and its pictures after the test, for a person to look at. */
const PICTURES = join(import.meta.dirname, '..', '..', '.ponte', 'test-browser');
const chromium = await ensureChromium((line) => console.log(line));

let folder = '';
const summaries: ChunkSummary[] = [];
const lake = new MemoryObjectStore();
/** Chunk -> where its summary is. */
const left = new Map<string, ObjectSlice>();
/** Chunk -> the ids of its skinny parts. */
const kept = new Map<string, ReadonlySet<string>>();

/** What intake leaves of a chunk of DES. */
async function summaryOf(name: string, options: SurveyChunkOptions): Promise<ChunkSummary> {
  const path = join(folder, `${name}.parquet`);
  const list = join(folder, `${name}.ids.parquet`);
  const profile = profileNamed('des-dr2');
  return withDatabase({ threads: 2 }, async (database) => {
    await writeSurveyChunk(database, path, 'des-dr2', options);
    const values = await readValues(database, path, profile);
    const summarizer = new ChunkSummarizer();
    const derived = await writeSkinnyParts(database, path, folder, profile, recipeNamed('gold-dereddened'), {
      look: (rows) => summarizer.add(database, rows),
    });
    if (values.kind === 'unreadable' || derived.kind === 'unreadable') throw new Error('unreadable');
    const { statistics } = values;
    const id = chunkId('des', name, sha256(name));
    const parts = derived.files.map((file) => file.path);
    const ends = await writeIds(database, path, profile, parts, list);
    const look = new SliceFile(join(folder, `${name}.look`), lookObjectKey(id, 'one'));
    const object = await look.addFile(list);
    const rows = await database.rows(`SELECT "objectId"::VARCHAR AS id FROM ${parquetRelation(parts)}`);
    kept.set(name, new Set(rows.map((row) => String(row.id))));
    const head = { version: 3, chunkId: id, name, rows: statistics.rows, values: statistics } as const;
    const summary = chunkSummarySchema.parse({ ...head, ...summarizer.summary, ids: ends && { ...ends, object } });
    left.set(name, await look.addJson(summary));
    await look.upload(lake);
    return summary;
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
  const list = (name: string, least: string, greatest: string): ChunkIds => ({
    name,
    ids: {
      object: { key: `chunks/${name}`, sha256: sha256(name), sizeBytes: 1, offsetBytes: 0 },
      rows: 1,
      least,
      greatest,
    },
  });

  test('are looked for only where the lists of two chunks overlap', () => {
    const groups = overlappingGroups([
      list('d', '40', '50'),
      list('b', '15', '30'),
      list('a', '10', '20'),
      list('c', '30', '39'),
      list('e', '9223372036854775806', '9223372036854775807'),
      list('f', '9223372036854775807', '9223372036854775807'),
      list('z', '-5', '9'),
    ]);

    expect(groups.map((group) => group.map(({ name }) => name))).toEqual([
      ['a', 'b', 'c'],
      ['e', 'f'],
    ]);
  });

  test('are counted exactly, per pair of chunks and of tracts', async () => {
    const shared = await findSharedIds(lake, idsOf(summaries));

    const [one, other] = [kept.get('tile-0'), kept.get('tile-1')];
    const expected = [...(one ?? [])].filter((id) => other?.has(id)).length;
    expect(expected).toBeGreaterThan(80);
    expect(shared).toEqual([
      { chunks: ['tile-0', 'tile-1'], tracts: ['DES0359-350', 'DES0359-350'], objects: expected },
    ]);
  });

  test('are counted by tracts where a chunk has several, and in all three where three have them', async () => {
    const write = async (name: string, rows: string): Promise<ChunkIds> => {
      const path = join(folder, `${name}.ids.parquet`);
      const ends = await withDatabase({ threads: 1 }, async (database) => {
        await database.run(
          `COPY (SELECT * FROM (VALUES ${rows}) AS t(id, tract) ORDER BY id) TO '${path}' (FORMAT parquet)`,
        );
        return database.rows(
          `SELECT count(*)::INTEGER AS rows, min(id)::VARCHAR AS least, max(id)::VARCHAR AS greatest FROM '${path}'`,
        );
      });
      const object = { ...(await lake.putFile(`chunks/${name}`, path, await fileDigest(path))), offsetBytes: 0 };
      return { name, ids: idListSchema.parse({ ...ends[0], object }) };
    };
    const lists = [
      await write('c', "(1, '7'), (2, '7'), (3, '8'), (9223372036854775807, '9')"),
      await write('a', "(2, '5'), (3, '5'), (4, '5'), (9223372036854775807, '5')"),
      await write('b', '(3, NULL), (9, NULL)'),
    ];

    expect(await findSharedIds(lake, lists)).toEqual([
      { chunks: ['a', 'b'], tracts: ['5', null], objects: 1 },
      { chunks: ['a', 'c'], tracts: ['5', '7'], objects: 1 },
      { chunks: ['a', 'c'], tracts: ['5', '8'], objects: 1 },
      { chunks: ['a', 'c'], tracts: ['5', '9'], objects: 1 },
      { chunks: ['b', 'c'], tracts: [null, '8'], objects: 1 },
    ]);
  });

  test('are the same in one pass and in many', async () => {
    const paths = new Map(['tile-0', 'tile-1', 'tile-2'].map((name) => [join(folder, `${name}.ids.parquet`), name]));

    const [one, many] = await withDatabase({ threads: 2 }, async (database) => [
      await compareIds(database, paths, 12_000),
      await compareIds(database, paths, 12_000, 1000),
    ]);

    expect(one).toHaveLength(1);
    expect(many).toEqual(one);
  });
});

const idsOf = (list: readonly ChunkSummary[]): ChunkIds[] =>
  list.flatMap(({ name, ids }) => (ids ? [{ name, ids }] : []));

const finding: Finding = { code: 'FEW_EXTENDED', sentence: 'only <b>3 %</b> are extended', severity: 'flag' };

async function table(profile: Partial<Profile> = {}): Promise<MemoryTable> {
  const rows = new MemoryTable();
  await registerSample(rows, { ...sampleSpec, profile: { ...sampleSpec.profile, ...profile } });
  const { release } = sampleSpec;
  for (const [index, { name }] of summaries.entries()) {
    const id = chunkId(release, name, sha256(name));
    const refused = index === 3;
    const row = {
      ...{ chunkId: id, release, name, sha256: sha256(name), sizeBytes: 1, etag: 'e', execution: 'one' },
      ...{ state: refused ? 'quarantined' : 'skinny', claimedAt: '2026-01-01T00:00:00Z', settledAt: null, rows: 1 },
      ...{ parts: 1, recipeDigest: null, revivals: 0, seconds: 1 },
      findings: index === 2 || refused ? [{ ...finding }] : [],
      summary: refused ? null : { ...left.get(name) },
    };
    await rows.write([{ kind: 'put', item: { ...chunkKey(release, id), ...row } }]);
  }
  return rows;
}

async function report(title = 'A sample', profile: Partial<Profile> = {}): Promise<ReleaseReport> {
  return { ...(await releaseReport({ table: await table(profile), lake }, sampleSpec.release)), title };
}

describe('against the publisher', () => {
  const numbers = { version: 1, release: sampleSpec.release, source: 'doi:10.0000/table-3' } as const;
  const registered = async (more: object) => {
    const [rows, path] = [await table(), join(folder, 'numbers.json')];
    await writeFile(path, JSON.stringify({ ...numbers, ...more }));
    await registerKeyNumbers({ table: rows, identity: async () => 'arn:operator' }, path);
    return { rows, report: await releaseReport({ table: rows, lake }, sampleSpec.release) };
  };

  test('says of every key number whether it agrees', async () => {
    const more = { rows: 20_000, tracts: 5, extendedFraction: 0.5, depth: { i: 26.4, g: 25, u: 25 } };
    const { report: found } = await registered(more);

    const compared = found.published ? compareKeyNumbers(found.published, found.summary) : [];

    expect(compared.map(({ name, agrees }) => `${name} ${agrees}`)).toEqual([
      'rows true',
      'tracts false',
      'extended fraction false',
      'depth in u false',
      'depth in g false',
      'depth in i true',
    ]);
    const page = releasePage(found);
    expect(page).toContain('Against the publisher');
    expect(page).toContain('doi:10.0000/table-3');
    expect(page).toMatch(/tracts: \d+, but the publisher says 5/);
    expect(page).toContain('Key numbers that are not the publisher\u2019s: 4.');
  });

  test('agrees within the tolerance of the file', async () => {
    const { report: found } = await registered({ rows: 20_100, tolerance: { counts: 0.01 } });

    expect(found.published && compareKeyNumbers(found.published, found.summary)).toMatchObject([{ agrees: true }]);
  });

  test('the metadata of the release carries the headline', async () => {
    const { rows, report: found } = await registered({ rows: 20_000, tracts: 5 });

    await keepHeadline({ table: rows }, found, new Date('2026-01-02T00:00:00Z'));

    const { headline } = await readRelease(rows, sampleSpec.release);
    expect(headline).toMatchObject({
      ...{ at: '2026-01-02T00:00:00.000Z', chunks: 5, quarantined: 1, rows: 20_000, flagged: 1 },
      ...{ primary: null, keyNumbers: { compared: 2, differ: 1 }, depth: { i: expect.closeTo(26.4, 0) } },
    });
    expect(headline?.sharedObjects).toBe(found.shared[0]?.objects);
  });

  test('refuses a file that is none', async () => {
    await expect(registered({ rows: -1 })).rejects.toThrow('rows: ');
  });
});

test('what a survey only wants noted does not stand out', async () => {
  const strict = releasePage(await report());
  const mild = releasePage(
    await report('A sample', { releaseChecks: { ID_SHARED: { severity: 'note' }, DEPTH_DRIFT: { limit: 5 } } }),
  );
  const some = releasePage(await report('A sample', { releaseChecks: { ID_SHARED: { limit: 100_000 } } }));

  expect(strict).toContain('<code>ID_SHARED</code>');
  for (const page of [mild, some]) expect(page).not.toContain('<code>ID_SHARED</code>');
});

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
  const rows = new MemoryTable();
  await registerSample(rows);

  const page = releasePage(await releaseReport({ table: rows, lake }, sampleSpec.release));

  expect(page).toContain('Nothing stands out.');
  expect(page).not.toMatch(/NaN|undefined|Infinity/);
});

describe.skipIf(chromium === null)('the page in a browser', () => {
  let browser: Browser;
  const path = join(PICTURES, 'release.html');
  beforeAll(async () => {
    const published = { release: sampleSpec.release, source: 'doi:10.0000/table-3', rows: 20_000, tracts: 5 };
    await mkdir(PICTURES, { recursive: true });
    const [rows, numbers] = [await table(), join(folder, 'published.json')];
    await writeFile(numbers, JSON.stringify({ version: 1, ...published }));
    await registerKeyNumbers({ table: rows, identity: async () => 'arn:operator' }, numbers);
    await writeFile(path, releasePage(await releaseReport({ table: rows, lake }, sampleSpec.release)));
    browser = await Browser.start(chromium ?? '');
  });
  afterAll(() => browser.close());

  const views: readonly (View & { readonly name: string })[] = [
    { name: 'light', width: 1100, height: 900, scheme: 'light' },
    { name: 'narrow-dark', width: 400, height: 800, scheme: 'dark' },
  ];
  test.each(views)('$name: opens offline, fits the window, is readable, and complains of nothing', async (view) => {
    const { name, ...window } = view;
    const url = pathToFileURL(path).href;

    await browser.open(url, window);
    await browser.screenshot(join(PICTURES, `release-${name}.png`));

    expect(await browser.evaluate(OVERFLOWS)).toBe(false);
    expect(await browser.evaluate(PALE_TEXTS)).toEqual([]);
    const methods = browser.events.map(({ method }) => method ?? '');
    const complaints = ['Log.entryAdded', 'Runtime.exceptionThrown', 'Runtime.consoleAPICalled'];
    expect(methods.filter((method) => complaints.includes(method))).toEqual([]);
    expect(methods.filter((method) => method === 'Network.requestWillBeSent')).toHaveLength(1);
  });
});
