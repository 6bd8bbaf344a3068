import { GetItemCommand, PutItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CloudUnderTest } from '#test/conformance/cloud-under-test.ts';
import { single } from '#test/conformance/machines.ts';

let cloud: CloudUnderTest;
beforeAll(async () => {
  cloud = await CloudUnderTest.start();
});
afterAll(() => cloud.remove());

test('loses no update under a Map and API writers', async () => {
  const TableName = await cloud.table();
  const addition = {
    TableName,
    Key: { pk: { S: 'ledger' }, sk: { S: '-' } },
    UpdateExpression: 'ADD spent :one',
    ExpressionAttributeValues: { ':one': { N: '1' } },
  };
  const Add = { Type: 'Task', Resource: 'arn:aws:states:::dynamodb:updateItem', Parameters: addition };
  const map = (items: string) => ({
    Type: 'Map',
    ItemsPath: items,
    ResultPath: null,
    ItemProcessor: { StartAt: 'Add', States: { Add: { ...Add, ResultPath: null, End: true } } },
  });
  // The longer an update takes, the likelier two of them meet.
  const bulk = { L: Array.from({ length: 1000 }, (_, index) => ({ N: String(index) })) };
  await cloud.dynamodb.send(new PutItemCommand({ TableName, Item: { ...addition.Key, bulk } }));
  const writer = async () => {
    for (let count = 0; count < 25; count++) await cloud.dynamodb.send(new UpdateItemCommand(addition));
  };
  const arns = await Promise.all(
    [1, 2].map(() =>
      cloud.start(
        single(map('$')),
        Array.from({ length: 50 }, (_, index) => index),
      ),
    ),
  );

  await Promise.all(Array.from({ length: 8 }, writer));
  const outcomes = await Promise.all(arns.map((arn) => cloud.ended(arn)));

  expect(outcomes.map((outcome) => outcome.status)).toEqual(['SUCCEEDED', 'SUCCEEDED']);
  const read = await cloud.dynamodb.send(new GetItemCommand({ TableName, Key: addition.Key }));
  expect(read.Item?.spent).toEqual({ N: '300' });
});
