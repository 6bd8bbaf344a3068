import { randomUUID } from 'node:crypto';
import { SendMessageBatchCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CloudUnderTest } from '#test/conformance/cloud-under-test.ts';

let cloud: CloudUnderTest;
beforeAll(async () => {
  cloud = await CloudUnderTest.start();
});
afterAll(() => cloud.remove());

/** A queue whose messages return after a second and are given up after `maxReceiveCount` attempts. */
async function withDeadLetters(maxReceiveCount: number) {
  const dead = await cloud.queue();
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: dead.arn, maxReceiveCount });
  const queue = await cloud.queue({ VisibilityTimeout: '1', RedrivePolicy });
  return { queue, dead };
}

async function consume(arn: string, code: string): Promise<void> {
  await cloud.post('/2015-03-31/event-source-mappings', {
    EventSourceArn: arn,
    FunctionName: await cloud.lambda(code),
    BatchSize: 10,
    FunctionResponseTypes: ['ReportBatchItemFailures'],
  });
}

async function send(url: string, bodies: readonly string[]): Promise<void> {
  const Entries = bodies.map((MessageBody, index) => ({ Id: String(index), MessageBody }));
  await cloud.sqs.send(new SendMessageBatchCommand({ QueueUrl: url, Entries }));
}

test('returns only the failed messages of a batch, and gives them up after their attempts', async () => {
  const { queue, dead } = await withDeadLetters(2);
  await consume(
    queue.arn,
    `exports.handler = async ({ Records }) => ({
      batchItemFailures: Records.filter((r) => r.body === 'bad').map((r) => ({ itemIdentifier: r.messageId })),
    });`,
  );

  await send(queue.url, ['good', 'bad', 'fine']);

  expect(await cloud.receive(dead.url, 10)).toEqual(['bad']);
  expect(await cloud.receive(queue.url, 0)).toEqual([]);
});

test('keeps the whole batch when the answer names an unknown message', async () => {
  const { queue, dead } = await withDeadLetters(1);
  await consume(queue.arn, "exports.handler = async () => ({ batchItemFailures: [{ itemIdentifier: '' }] });");

  await cloud.sqs.send(new SendMessageCommand({ QueueUrl: queue.url, MessageBody: 'kept' }));

  expect(await cloud.receive(dead.url, 10)).toEqual(['kept']);
});

test('gives up the messages of a function that throws', async () => {
  const { queue, dead } = await withDeadLetters(1);
  await consume(queue.arn, "exports.handler = async () => { throw new Error('no'); };");

  await cloud.sqs.send(new SendMessageCommand({ QueueUrl: queue.url, MessageBody: 'poison' }));

  expect(await cloud.receive(dead.url, 10)).toEqual(['poison']);
});

test('delivers what a rule matches, transformed, and nothing else', async () => {
  const queue = await cloud.queue();
  const Source = `ponte.${randomUUID()}`;
  await cloud.rule(
    { source: [Source], detail: { rows: [{ numeric: ['>', 10] }], key: [{ suffix: '.parquet' }] } },
    queue.arn,
    {
      InputPathsMap: { key: '$.detail.key', rows: '$.detail.rows' },
      InputTemplate: '{"key": <key>, "rows": <rows>}',
    },
  );
  const details = [
    { key: 'a.parquet', rows: 11 },
    { key: 'b.parquet', rows: 9 },
    { key: 'c.txt', rows: 12 },
  ];

  await cloud.call('AWSEvents.PutEvents', 'events', {
    Entries: details.map((detail) => ({ Source, DetailType: 'Chunk', Detail: JSON.stringify(detail) })),
  });

  const [body, ...others] = await cloud.receive(queue.url);
  expect(JSON.parse(body ?? 'null')).toEqual({ key: 'a.parquet', rows: 11 });
  expect([...others, ...(await cloud.receive(queue.url, 0))]).toEqual([]);
});
