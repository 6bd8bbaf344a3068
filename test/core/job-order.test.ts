import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryTable } from '#adapters/memory-table.ts';
import { availableOf } from '#core/account.ts';
import { decide, requestApproval } from '#core/approval.ts';
import { openCampaign, writeModel } from '#core/campaign-book.ts';
import { sha256 } from '#core/digest.ts';
import { type BatchPart, jobMessageSchema, messageFields } from '#core/job.ts';
import { admit, findWork, type JobOrder, jobInput, jobOrderSchema, prepareJob, worstCase } from '#core/job-order.ts';
import { openLedger, readLedger } from '#core/ledger.ts';
import type { ReleaseSpec } from '#core/release.ts';
import { workKeyOf, workPrefix } from '#core/work.ts';
import { sampleSpec } from '#test/core/sample-release.ts';

const ref = (text: string) => ({ key: `lake/${text.replaceAll(' ', '-')}`, sha256: sha256(text), sizeBytes: 1 });
const part = (text: string): BatchPart => ({ partId: sha256(`part ${text}`), skinny: ref(text), rows: 1000 });
const inform: JobOrder = { kind: 'inform', campaign: 'c', release: 'dp0', algorithm: 'bpz' };
const validate: JobOrder = { ...inform, kind: 'validate' };
const estimate: JobOrder = { ...inform, kind: 'estimate', batchId: sha256('batch'), batch: ref('batch') };
const parts = [part('one'), part('two')];

let table: MemoryTable;
beforeEach(async () => {
  table = new MemoryTable();
  await campaign('c');
  await writeModel(table, 'c', 'bpz', ref('model'));
  await approve('c');
});

async function campaign(name: string): Promise<void> {
  await openCampaign(table, {
    campaign: name,
    release: 'dp0',
    planDigest: sha256('plan'),
    chunkSetDigest: sha256('chunks'),
    state: 'informing',
    execution: 'E',
    chunks: 1,
    quarantinedChunks: 0,
    rows: 1,
    parts: 1,
    stages: {},
  });
}

async function approve(name: string): Promise<void> {
  const [planDigest, report] = [sha256('plan'), ref('report')];
  await requestApproval(table, { campaign: name, taskToken: 't', planDigest, report, page: report, requestedAt: '' });
  const read = { planDigest, reportDigest: report.sha256 };
  await decide(table, name, read, { verdict: 'approved', identity: 'arn:ana', comment: '', at: '' });
}

const keyOf = async (order: JobOrder, spec: ReleaseSpec = sampleSpec, of = parts) =>
  (await prepareJob(table, spec, order, of)).workKey;

describe('the key of a work', () => {
  const another = sha256('another');
  const changes: [string, ReleaseSpec][] = [
    ['the training set', { ...sampleSpec, trainingSet: ref('other training') }],
    [
      'the held-out share',
      { ...sampleSpec, campaign: { ...sampleSpec.campaign, heldOut: { fraction: 0.2, seed: 2 } } },
    ],
    ['the packages', { ...sampleSpec, environmentDigest: another }],
    [
      'the configuration',
      {
        ...sampleSpec,
        algorithms: { bpz: { configurationDigest: another, secondsPerThousandRows: 2, informSeconds: 10 } },
      },
    ],
  ];

  it.each(changes)('of an inform and of a validation changes with %s', async (_what, spec) => {
    expect(await keyOf(inform, spec)).not.toBe(await keyOf(inform));
    expect(await keyOf(validate, spec)).not.toBe(await keyOf(validate));
  });

  it('of an estimate changes with packages and configuration; the training set counts through the model', async () => {
    const key = await keyOf(estimate);
    const [training, share, packages, configuration] = await Promise.all(
      changes.map(([, spec]) => keyOf(estimate, spec)),
    );

    expect([training, share]).toEqual([key, key]);
    expect(new Set([key, packages, configuration]).size).toBe(3);
  });

  it('of an estimate changes with the parts, their contents and their order', async () => {
    const sets = [
      parts,
      [part('one')],
      [part('two'), part('one')],
      [part('one'), { ...part('two'), skinny: ref('other bytes') }],
      [part('one'), { ...part('two'), partId: another }],
    ];

    const keys = await Promise.all(sets.map((of) => keyOf(estimate, sampleSpec, of)));

    expect(new Set(keys).size).toBe(sets.length);
  });

  it('changes with the model, for what uses it', async () => {
    const before = [await keyOf(inform), await keyOf(validate), await keyOf(estimate)];
    await writeModel(table, 'c', 'bpz', ref('other model'));

    const after = [await keyOf(inform), await keyOf(validate), await keyOf(estimate)];

    expect(after.map((key, index) => key === before[index])).toEqual([true, false, false]);
  });

  it('changes with the algorithm and the kind of work', async () => {
    await writeModel(table, 'c', 'knn', ref('model'));
    const orders = [inform, validate, estimate];

    const keys = await Promise.all(
      [...orders, ...orders.map((order) => ({ ...order, algorithm: 'knn' }))].map((order) => keyOf(order)),
    );

    expect(new Set(keys).size).toBe(6);
  });

  it('stays the same when failing parts shall be searched, which the message says', async () => {
    const spec = { ...sampleSpec, campaign: { ...sampleSpec.campaign, bisect: true } };
    const [plain, searched] = [
      await prepareJob(table, sampleSpec, estimate, parts),
      await prepareJob(table, spec, estimate, parts),
    ];
    expect(searched.workKey).toBe(plain.workKey);
    expect([plain.message, searched.message]).toMatchObject([{ bisect: false }, { bisect: true }]);
  });

  it('changes with the archive that a campaign asks for, for estimates alone', async () => {
    const spec = { ...sampleSpec, campaign: { ...sampleSpec.campaign, archive: true } };
    const without = await Promise.all([inform, validate, estimate].map((order) => keyOf(order)));
    const asked = await Promise.all([inform, validate, estimate].map((order) => keyOf(order, spec)));

    expect(asked.map((key, index) => key === without[index])).toEqual([true, true, false]);
    expect((await prepareJob(table, spec, estimate, parts)).message).toMatchObject({ archive: true });
  });

  it('does not change with the campaign, with where things lie, or with what they are expected to cost', async () => {
    await campaign('c2');
    await writeModel(table, 'c2', 'bpz', { ...ref('model'), key: 'elsewhere' });
    await approve('c2');
    const moved = parts.map((one) => ({ ...one, skinny: { ...one.skinny, key: 'elsewhere' } }));
    const spec = {
      ...sampleSpec,
      title: 'Another title',
      trainingSet: { ...sampleSpec.trainingSet, key: 'elsewhere' },
      campaign: { ...sampleSpec.campaign, caps: { microUsd: 1, coreSeconds: 1 }, partsPerBatch: 1 },
    };

    for (const order of [inform, validate, { ...estimate, batch: ref('elsewhere') }]) {
      expect(await keyOf({ ...order, campaign: 'c2' }, spec, moved)).toBe(await keyOf(order));
    }
  });
});

describe('prepareJob', () => {
  it.each([inform, validate, estimate])('makes the whole message of an order: $kind', async (order) => {
    const { workKey, message } = await prepareJob(table, sampleSpec, jobOrderSchema.parse(order), parts);

    expect(jobMessageSchema.parse({ ...message, taskToken: 'token' })).toEqual({ ...message, taskToken: 'token' });
    expect(Object.keys(message).sort()).toEqual(
      messageFields(order.kind)
        .filter((name) => name !== 'taskToken')
        .sort(),
    );
    expect(message.outputPrefix).toBe(workPrefix(order.kind, workKey));
  });

  it.each([inform, validate, estimate])('names the ancillary files of the algorithm: $kind', async (order) => {
    const { bpz, ...others } = sampleSpec.algorithms;
    const ancillary = [{ name: 'templates', ...ref('templates') }];
    const spec = bpz ? { ...sampleSpec, algorithms: { ...others, bpz: { ...bpz, ancillary } } } : sampleSpec;
    const { message } = await prepareJob(table, spec, order, parts);
    const without = await prepareJob(table, sampleSpec, order, parts);

    expect([message.ancillary, without.message.ancillary]).toEqual([ancillary, []]);
    expect(jobInput(message, parts).bytes).toBe(jobInput(without.message, parts).bytes + 1);
    // What an older cloud sent, or an agent has in its journal.
    const { ancillary: _none, ...older } = { ...without.message, taskToken: 'token' };
    expect(jobMessageSchema.parse(older)).toEqual({ ...without.message, taskToken: 'token' });
  });

  it('does not estimate without a standing approval', async () => {
    await campaign('unapproved');
    await writeModel(table, 'unapproved', 'bpz', ref('model'));

    const prepared = prepareJob(table, sampleSpec, { ...estimate, campaign: 'unapproved' }, parts);

    await expect(prepared).rejects.toMatchObject({ name: 'InputError', code: 'NOT_APPROVED' });
  });

  it('does not estimate or validate without the campaign’s own model', async () => {
    await campaign('new');
    await approve('new');

    for (const order of [validate, estimate]) {
      const prepared = prepareJob(table, sampleSpec, { ...order, campaign: 'new' }, parts);
      await expect(prepared).rejects.toMatchObject({ code: 'STAGE_INCOMPLETE' });
    }
  });

  it('knows no algorithm that the release has not registered', async () => {
    const prepared = prepareJob(table, sampleSpec, { ...inform, algorithm: 'tpz' }, []);

    await expect(prepared).rejects.toMatchObject({ name: 'InvariantError', code: 'ALGORITHM_UNREGISTERED' });
  });
});

describe('admit', () => {
  it('sets the worst case aside once per work, and refuses beyond the cap with both figures', async () => {
    const workKey = await keyOf(estimate);
    const input = { units: 2, rows: 2000, bytes: 5000 };
    const wanted = worstCase(sampleSpec, estimate, input);
    const at = new Date('2026-01-31T23:59:00Z');
    const coreSeconds = Math.ceil(1.5 * wanted.coreSeconds);
    await openLedger(table, 'c', { microUsd: 10 * wanted.microUsd, coreSeconds, egressBytes: 100_000 });

    expect(await admit(table, sampleSpec, estimate, workKey, input, at)).toEqual({ kind: 'leased' });
    expect(await admit(table, sampleSpec, estimate, workKey, input, at)).toEqual({ kind: 'leased' });

    const available = availableOf(await readLedger(table, 'c'));
    expect(available.microUsd).toBe(9 * wanted.microUsd);
    expect(available.egressBytes).toBe(100_000 - 3 * 5000);
    const refused = await admit(table, sampleSpec, estimate, sha256('next'), input, at);
    expect(refused).toMatchObject({ kind: 'refused', account: 'campaign', available, wanted, mayFitLater: true });
  });

  it('grows with the rows and never counts less than the start', () => {
    const rows = (count: number) => ({ units: 1, rows: count, bytes: 0 });
    const none = worstCase(sampleSpec, estimate, rows(0));

    expect(none.coreSeconds).toBe(3 * 120);
    // 1000 rows: 2 s on an idle core, five times as long on a busy node, three attempts.
    expect(worstCase(sampleSpec, estimate, rows(1000)).coreSeconds).toBe(3 * (120 + 2 * 5));
    expect(worstCase(sampleSpec, inform, rows(0)).coreSeconds).toBe(3 * (120 + 10 * 5));
  });
});

it('finds finished work by its key', async () => {
  const workKey = await keyOf(estimate);
  expect(await findWork(table, workKey)).toBeNull();
  const answer = { workKey, result: ref('result'), units: 2, failedUnits: 0, rows: 2000, coreSeconds: 4 };
  const row = { workKey, campaign: 'c', algorithm: 'bpz', answer, finishedAt: '', seconds: 1 };

  await table.write([{ kind: 'put', item: { ...workKeyOf(workKey), ...row } }]);

  expect((await findWork(table, workKey))?.answer).toEqual(answer);
});
