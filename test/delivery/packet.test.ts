import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MemoryObjectStore } from '#adapters/memory-object-store.ts';
import { MemoryTable } from '#adapters/memory-table.ts';
import { approvalWarning } from '#cli/operations/look.ts';
import { algorithmSchema, configurationDigest } from '#core/algorithm.ts';
import { decide, requestApproval } from '#core/approval.ts';
import { openCampaign, readCampaign, writeModel } from '#core/campaign-book.ts';
import { deliveryKey, type Withdrawal } from '#core/delivery.ts';
import { sha256 } from '#core/digest.ts';
import { writeDocument } from '#core/documents.ts';
import { packetSchema, renderPacket } from '#core/hats/packet.ts';
import type { PackingPlan } from '#core/partition-task.ts';
import { REGISTERED } from '#core/registered-algorithms.ts';
import type { Item } from '#core/table.ts';
import { writePacket } from '#functions/finish-packet.ts';
import { registerSample, sampleSpec } from '#test/core/sample-release.ts';
import { makeReport } from '#test/report/report-fixture.ts';

const CAMPAIGN = 'dp0.photoz.0123456789';
const PLAN = sha256('plan');
const NAME = 'dp0_object_photoz';
const plan: PackingPlan = {
  ...{
    version: 3,
    campaign: CAMPAIGN,
    release: 'dp0',
    title: 'A sample',
    algorithms: ['bpz', 'knn'],
    templates: ['bpz'],
  },
  ...{ createdAt: '2026-03-01T00:00:00.000Z', coordinates: { ra: 'ra', dec: 'dec' }, marginArcsec: 10, rows: 10 },
  ...{ counts: [], prefix: 'catalogues/x', name: NAME },
};
const publication = {
  licence: 'CC-BY-4.0',
  documentation: 'https://photoz.example.org/dp0',
  repositories: ['https://git.example.org/ponte'],
  contacts: [
    { name: 'A. Sousa', email: 'a@example.org' },
    { name: 'B. Lima', email: 'b@example.org' },
  ],
};
const files = [
  { path: 'manifest-less.txt', sha256: sha256('z'), sizeBytes: 1 },
  { path: `${NAME}_pz/b.parquet`, sha256: sha256('b'), sizeBytes: 20 },
  { path: `${NAME}/a.parquet`, sha256: sha256('a'), sizeBytes: 10 },
];

let folder: string;
let table: MemoryTable;
let lake: MemoryObjectStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ponte-packet-'));
  table = new MemoryTable();
  lake = new MemoryObjectStore();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function campaign(spec: typeof sampleSpec): Promise<void> {
  await registerSample(table, spec);
  await openCampaign(table, {
    ...{ campaign: CAMPAIGN, release: 'dp0', planDigest: PLAN, chunkSetDigest: PLAN, state: 'packing', execution: 'e' },
    ...{ chunks: 6, quarantinedChunks: 1, rows: 10, parts: 1, stages: {} },
  });
  for (const name of plan.algorithms) {
    await writeModel(table, CAMPAIGN, name, { key: 'model', sha256: sha256(`model of ${name}`), sizeBytes: 1 });
  }
}

async function approved(): Promise<string> {
  const report = await writeDocument(lake, 'campaigns/x/validation.json', makeReport());
  const page = await lake.putBytes('campaigns/x/validation.html', new TextEncoder().encode('<p>'), 'text/html');
  const requestedAt = '2026-03-01T01:00:00.000Z';
  await requestApproval(table, { campaign: CAMPAIGN, taskToken: 't', planDigest: PLAN, report, page, requestedAt });
  const decision = { verdict: 'approved' as const, identity: 'arn:ana', comment: '', at: '2026-03-02T00:00:00.000Z' };
  await decide(table, CAMPAIGN, { planDigest: PLAN, reportDigest: report.sha256 }, decision);
  return report.sha256;
}

const delivered = (delivery: string, deliveredAt: string, withdrawn: Withdrawal | null = null): Item => ({
  ...{ ...deliveryKey(delivery), delivery, collection: NAME, release: 'dp0', campaign: 'c', bucket: 'b', prefix: 'p' },
  ...{ manifest: { key: 'm', sha256: PLAN, sizeBytes: 1 }, rows: 1, files: 1, sizeBytes: 1, deliveredAt },
  withdrawn: withdrawn && { ...withdrawn },
});

const registered = (name: string) => algorithmSchema.parse(REGISTERED.find((each) => each.name === name));

const write = () => writePacket(plan, files, { rows: 10, partitions: 1 }, folder, { table, lake });
const written = async (path: string) => readFile(join(folder, path), 'utf8');

test('the packet says who, what, how much and what was before, with the report that was approved', async () => {
  await campaign({ ...sampleSpec, publication });
  const reportSha256 = await approved();
  const withdrawal = { at: '2026-02-03T00:00:00.000Z', by: 'a', because: 'wrong' };
  for (const item of [
    delivered('one', '2026-01-01T00:00:00.000Z'),
    delivered('two', '2026-02-01T00:00:00.000Z'),
    delivered('taken-back', '2026-02-02T00:00:00.000Z', withdrawal),
    delivered('its-own', '2026-03-03T00:00:00.000Z'),
  ]) {
    await table.write([{ kind: 'put', item }]);
  }

  const documents = await write();

  expect(documents.map(({ path }) => path).sort()).toEqual([
    'DELIVERY_NOTE.md',
    'README.md',
    'packet.json',
    'validation.html',
    'validation.json',
  ]);
  for (const { path, sha256: digest, sizeBytes } of documents) {
    const text = await written(path);
    expect([sha256(text), Buffer.byteLength(text)]).toEqual([digest, sizeBytes]);
  }
  const packet = packetSchema.parse(JSON.parse(await written('packet.json')));
  expect(packet).toMatchObject({ previous: 'two', publication, chunks: { used: 6, quarantined: 1 } });
  expect(packet.approval).toEqual({ at: '2026-03-02T00:00:00.000Z', reportSha256 });
  expect(packet.algorithms.map(({ modelSha256 }) => modelSha256)).toEqual([
    sha256('model of bpz'),
    sha256('model of knn'),
  ]);
  expect(packet.contents).toEqual([
    { folder: NAME, files: 1, sizeBytes: 10, sha256: sha256(`${sha256('a')}  ${NAME}/a.parquet\n`) },
    { folder: `${NAME}_pz`, files: 1, sizeBytes: 20, sha256: sha256(`${sha256('b')}  ${NAME}_pz/b.parquet\n`) },
  ]);
  expect(await written('DELIVERY_NOTE.md')).toContain('| previous version | two |');
  expect(await write()).toEqual(documents);
  expect(await approvalWarning({ table }, await readCampaign(table, CAMPAIGN))).toBeNull();
});

test('the packet is the same text when its receiver reads it and makes it again', async () => {
  await campaign({ ...sampleSpec, publication });

  await write();

  const text = await written('packet.json');
  expect(renderPacket(packetSchema.parse(JSON.parse(text)))).toBe(text);
});

test('the packet has the parameters of the configuration that the campaign ran with, and of no other', async () => {
  const bpz = registered('bpz');
  const algorithms = { ...sampleSpec.algorithms };
  const [own, other] = [algorithms.bpz, algorithms.knn];
  if (!own || !other) throw new Error('the sample has other algorithms');
  await campaign({
    ...sampleSpec,
    algorithms: { bpz: { ...own, configurationDigest: configurationDigest(bpz) }, knn: other },
  });

  await write();

  const packet = packetSchema.parse(JSON.parse(await written('packet.json')));
  const [first, second] = packet.algorithms.map(({ configuration }) => configuration);
  expect(first?.parameters.map(({ name }) => name)).toEqual(Object.keys(bpz.parameters));
  expect(second).toBeNull();
  const page = await written('README.md');
  expect(page).toContain('| `spectra_file` | CWWSB4.list | inform, estimate | The template set:');
  expect(page).toContain('### knn\n\nIts parameters are not known here');
});

test('without a publication the packet says what is missing, and the coordinator is warned', async () => {
  await campaign(sampleSpec);

  await write();

  for (const path of ['README.md', 'DELIVERY_NOTE.md']) expect(await written(path)).toContain('**Missing.**');
  expect(await approvalWarning({ table }, await readCampaign(table, CAMPAIGN))).toMatch(/no `publication`/);
});

test('a report that was replaced after its approval is refused', async () => {
  await campaign(sampleSpec);
  await approved();
  await writeDocument(lake, 'campaigns/x/validation.json', { other: true });

  await expect(write()).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
});
