import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { DescribeMapRunCommand, ListExecutionsCommand, ListMapRunsCommand } from '@aws-sdk/client-sfn';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { CloudUnderTest } from '#test/conformance/cloud-under-test.ts';
import { invoking, single } from '#test/conformance/machines.ts';

let cloud: CloudUnderTest;
let bucket: string;
beforeAll(async () => {
  cloud = await CloudUnderTest.start();
  bucket = await cloud.bucket();
});
afterAll(() => cloud.remove());

const PASS = { Pass: { Type: 'Pass', End: true } };

function distributed(more: object, states: object = PASS): object {
  const [StartAt] = Object.keys(states);
  const ProcessorConfig = { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' };
  return {
    Type: 'Map',
    Label: 'Parts',
    MaxConcurrency: 4,
    ItemProcessor: { ProcessorConfig, StartAt, States: states },
    ...more,
  };
}

const put = (Key: string, Body: string) => cloud.s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body }));

function reader(Key: string, InputType: string, more: object = {}): object {
  const Parameters = { 'Bucket.$': '$.bucket', Key };
  return { Resource: 'arn:aws:states:::s3:getObject', ReaderConfig: { InputType, ...more }, Parameters };
}

async function mapRunOf(executionArn: string) {
  const listed = await cloud.sfn.send(new ListMapRunsCommand({ executionArn }));
  const mapRunArn = listed.mapRuns?.[0]?.mapRunArn;
  const run = await cloud.sfn.send(new DescribeMapRunCommand({ mapRunArn }));
  const children = await cloud.sfn.send(new ListExecutionsCommand({ mapRunArn }));
  return { run, children: children.executions ?? [] };
}

test('reads JSON Lines, JSON and listings from S3', async () => {
  await put('items.jsonl', '{"part": 1}\n{"part": 2}\n{"part": 3}\n');
  await put('items.json', '{"parts": [{"part": 1}, {"part": 2}]}');
  await put('parts/a', 'aaa');
  await put('parts/b', 'b');
  const listing = { Resource: 'arn:aws:states:::s3:listObjectsV2', Parameters: { Bucket: bucket, Prefix: 'parts/' } };
  const readers = [
    reader('items.jsonl', 'JSONL', { MaxItems: 2 }),
    reader('items.json', 'JSON', { ItemsPointer: '/parts' }),
    listing,
  ];

  const outcomes = await Promise.all(
    readers.map((ItemReader) => cloud.run(single(distributed({ ItemReader })), { bucket })),
  );

  const two = [{ part: 1 }, { part: 2 }];
  const objects = [
    { Key: 'parts/a', Size: 3 },
    { Key: 'parts/b', Size: 1 },
  ];
  expect(outcomes.map((outcome) => outcome.output)).toMatchObject([two, two, objects]);
});

test('fails on items that cannot be read', async () => {
  await put('broken.json', '{"parts": [');

  const outcome = await cloud.run(single(distributed({ ItemReader: reader('broken.json', 'JSON') })), { bucket });

  expect(outcome).toMatchObject({ status: 'FAILED', error: 'States.ItemReaderFailed' });
});

test('hands out batches', async () => {
  const ItemBatcher = { MaxItemsPerBatch: 10, BatchInput: { 'release.$': '$.release' } };
  const ItemSelector = { 'part.$': '$$.Map.Item.Value' };
  const items = Array.from({ length: 25 }, (_, index) => index);

  const outcome = await cloud.run(single(distributed({ ItemsPath: '$.items', ItemBatcher, ItemSelector })), {
    items,
    release: 'dp1',
  });

  const batches = z.array(z.object({ BatchInput: z.object({ release: z.string() }), Items: z.array(z.unknown()) }));
  expect(batches.parse(outcome.output).map((batch) => batch.Items.length)).toEqual([10, 10, 5]);
  expect(outcome.output).toMatchObject([
    { BatchInput: { release: 'dp1' }, Items: items.slice(0, 10).map((part) => ({ part })) },
    {},
    {},
  ]);
  const { run, children } = await mapRunOf(outcome.arn);
  expect(run.itemCounts).toMatchObject({ total: 25, succeeded: 25 });
  expect(children).toHaveLength(3);
});

test('writes the results', async () => {
  const ResultWriter = { Resource: 'arn:aws:states:::s3:putObject', Parameters: { Bucket: bucket, Prefix: 'results' } };
  const read = async (Key: string) => {
    const object = await cloud.s3.send(new GetObjectCommand({ Bucket: bucket, Key }));
    const parsed: unknown = JSON.parse((await object.Body?.transformToString()) ?? 'null');
    return parsed;
  };
  const details = z.object({ ResultWriterDetails: z.object({ Bucket: z.string(), Key: z.string() }) });
  const files = z.object({ ResultFiles: z.object({ SUCCEEDED: z.array(z.object({ Key: z.string() })) }) });

  const outcome = await cloud.run(single(distributed({ ResultWriter })), [{ part: 1 }, { part: 2 }]);

  const manifest = files.parse(await read(details.parse(outcome.output).ResultWriterDetails.Key));
  const results = await read(manifest.ResultFiles.SUCCEEDED[0]?.Key ?? '');
  expect(results).toMatchObject([{ Output: '{"part": 1}', Status: 'SUCCEEDED' }, { Output: '{"part": 2}' }]);
});

test('tolerates failures up to the threshold, and stops early beyond it', async () => {
  const name = await cloud.lambda(`exports.handler = async (event) => {
    await new Promise((done) => setTimeout(done, 50));
    if (event.fail) throw new Error('asked to');
    return 'done';
  };`);
  const States = { Call: invoking(name) };
  const few = Array.from({ length: 10 }, (_, index) => ({ fail: index < 2 }));
  const many = Array.from({ length: 40 }, () => ({ fail: true }));

  const tolerated = await cloud.run(single(distributed({ ToleratedFailurePercentage: 20 }, States)), few);
  const exceeded = await cloud.run(single(distributed({ ToleratedFailurePercentage: 5 }, States)), many);

  expect(tolerated.status).toBe('SUCCEEDED');
  expect(exceeded).toMatchObject({ status: 'FAILED', error: 'States.ExceedToleratedFailureThreshold' });
  const { run } = await mapRunOf(exceeded.arn);
  expect(run.itemCounts?.failed).toBeLessThan(20);
});
