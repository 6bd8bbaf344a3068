import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { PutItemCommand, ScanCommand } from '@aws-sdk/client-dynamodb';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { SendTaskHeartbeatCommand, SendTaskSuccessCommand } from '@aws-sdk/client-sfn';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CloudUnderTest } from '#test/conformance/cloud-under-test.ts';
import { single, tokenOf, waiting } from '#test/conformance/machines.ts';
import { refusal } from '#test/conformance/refusal.ts';

let cloud: CloudUnderTest;
beforeAll(async () => {
  cloud = await CloudUnderTest.start();
});
afterAll(() => cloud.remove());

test('keeps every acknowledged write of DynamoDB', async () => {
  const TableName = await cloud.table();
  const ids = Array.from({ length: 50 }, (_, index) => String(index));
  await Promise.all(
    ids.map((id) => cloud.dynamodb.send(new PutItemCommand({ TableName, Item: { pk: { S: id }, sk: { S: '-' } } }))),
  );

  await cloud.kill();

  expect((await cloud.dynamodb.send(new ScanCommand({ TableName }))).Count).toBe(ids.length);
});

test('keeps what was created', async () => {
  const bucket = await cloud.bucket();
  await cloud.s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'part', Body: 'rows' }));
  const name = await cloud.lambda('exports.handler = async () => "still here";');
  const queue = await cloud.queue();
  const Source = `ponte.${randomUUID()}`;
  await cloud.rule({ source: [Source] }, queue.arn);
  const machine = await cloud.machine(single({ Type: 'Pass' }));
  // The cloud under test saves every second.
  await sleep(2500);

  await cloud.kill();

  const object = await cloud.s3.send(new GetObjectCommand({ Bucket: bucket, Key: 'part' }));
  expect(await object.Body?.transformToString()).toBe('rows');
  expect(await cloud.invoke(name, {})).toMatchObject({ body: 'still here' });
  await cloud.call('AWSEvents.PutEvents', 'events', { Entries: [{ Source, DetailType: 'Chunk', Detail: '{}' }] });
  expect(await cloud.receive(queue.url)).toHaveLength(1);
  expect(await cloud.runMachine(machine)).toMatchObject({ status: 'SUCCEEDED' });
});

test('continues an execution that waits for a token', async () => {
  const queue = await cloud.queue();
  const TableName = await cloud.table();
  const count = {
    Type: 'Task',
    Resource: 'arn:aws:states:::dynamodb:updateItem',
    Parameters: {
      TableName,
      Key: { pk: { 'S.$': "States.Format('{}', $)" }, sk: { S: '-' } },
      UpdateExpression: 'ADD runs :one',
      ExpressionAttributeValues: { ':one': { N: '1' } },
    },
    ResultPath: null,
    End: true,
  };
  const States = {
    Each: {
      Type: 'Map',
      ItemProcessor: { StartAt: 'Count', States: { Count: count } },
      ResultPath: null,
      Next: 'Agent',
    },
    Agent: waiting(queue.url, { HeartbeatSeconds: 30 }),
  };
  const arn = await cloud.start({ StartAt: 'Each', States }, [1, 2, 3]);
  const taskToken = tokenOf((await cloud.receive(queue.url))[0]);
  await cloud.snapshot();

  await cloud.kill();

  // At the very first moment: a worker that calls now must not be told that its task is gone.
  expect(await refusal(cloud.sfn.send(new SendTaskHeartbeatCommand({ taskToken })))).toBe('accepted');
  await cloud.sfn.send(new SendTaskSuccessCommand({ taskToken, output: '{"done": 3}' }));
  expect(await cloud.ended(arn)).toMatchObject({ status: 'SUCCEEDED', output: { done: 3 } });
  const items = (await cloud.dynamodb.send(new ScanCommand({ TableName }))).Items ?? [];
  expect(items.map((item) => item.runs)).toEqual([{ N: '1' }, { N: '1' }, { N: '1' }]);
});

test('continues after a stop in good order, without waiting for what waits', async () => {
  const queue = await cloud.queue();
  const States = { Agent: waiting(queue.url) };
  const arn = await cloud.start(single({ Type: 'Map', ItemProcessor: { StartAt: 'Agent', States } }), [1]);
  const taskToken = tokenOf((await cloud.receive(queue.url))[0]);

  await cloud.restart();

  await cloud.sfn.send(new SendTaskSuccessCommand({ taskToken, output: '1' }));
  expect(await cloud.ended(arn)).toMatchObject({ status: 'SUCCEEDED', output: [1] });
});

test('keeps the message of a task that waits for a token', async () => {
  const queue = await cloud.queue();
  const waits = single(waiting(queue.url, { HeartbeatSeconds: 30 }));
  await cloud.snapshot();
  const arn = await cloud.start(waits);
  while ((await cloud.messages(queue.url)) === 0);

  await cloud.kill();

  const taskToken = tokenOf((await cloud.receive(queue.url))[0]);
  await cloud.sfn.send(new SendTaskSuccessCommand({ taskToken, output: '1' }));
  expect(await cloud.ended(arn)).toMatchObject({ status: 'SUCCEEDED', output: 1 });
});

test('keeps an answer that was acknowledged before the kill', async () => {
  const queue = await cloud.queue();
  const arn = await cloud.start({
    StartAt: 'Agent',
    States: {
      Agent: waiting(queue.url, { End: false, Next: 'Later' }),
      Later: { Type: 'Wait', Seconds: 2, End: true },
    },
  });
  const taskToken = tokenOf((await cloud.receive(queue.url))[0]);
  await cloud.snapshot();
  await cloud.sfn.send(new SendTaskSuccessCommand({ taskToken, output: '{"done": 1}' }));

  await cloud.kill();

  expect(await cloud.ended(arn)).toMatchObject({ status: 'SUCCEEDED', output: { done: 1 } });
});

test('finishes a Distributed Map, each item once', async () => {
  const TableName = await cloud.table();
  const Parameters = { TableName, Item: { pk: { 'S.$': "States.Format('{}', $)" }, sk: { S: '-' } } };
  const put = { ...Parameters, ConditionExpression: 'attribute_not_exists(pk)' };
  const ItemProcessor = {
    ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
    StartAt: 'Put',
    States: {
      Put: {
        Type: 'Task',
        Resource: 'arn:aws:states:::dynamodb:putItem',
        Parameters: put,
        ResultPath: null,
        Next: 'Pause',
      },
      Pause: { Type: 'Wait', Seconds: 1, End: true },
    },
  };
  const items = Array.from({ length: 12 }, (_, index) => index);
  const arn = await cloud.start(single({ Type: 'Map', MaxConcurrency: 4, ItemProcessor }), items);
  while ((await cloud.dynamodb.send(new ScanCommand({ TableName }))).Count !== 8) await sleep(20);

  await cloud.kill();

  expect(await cloud.ended(arn)).toMatchObject({ status: 'SUCCEEDED', output: items });
});
