import { DynamoDBClient, TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { DynamoDbTable } from '#adapters/dynamodb-table.ts';
import { ROW_IS_NEW } from '#core/table.ts';
import { withConflicts } from '#test/adapters/conflicting-dynamodb.ts';
import { CloudUnderTest } from '#test/conformance/cloud-under-test.ts';
import { tableContract } from '#test/contracts/table.ts';

let cloud: CloudUnderTest;
let name: string;
beforeAll(async () => {
  cloud = await CloudUnderTest.start();
  name = await cloud.table();
});
afterAll(() => cloud.remove());

tableContract('DynamoDbTable', () => new DynamoDbTable(cloud.dynamodb, name));

const ownClient = () =>
  new DynamoDBClient({
    endpoint: cloud.handle.url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });

tableContract('DynamoDbTable, where DynamoDB cancels what conflicts,', () => {
  const client = ownClient();
  withConflicts(client);
  return new DynamoDbTable(client, name);
});

describe('DynamoDbTable', () => {
  it('gives way to other transactions and comes again', async () => {
    const client = ownClient();
    const conflicts = withConflicts(client);
    const table = new DynamoDbTable(client, name);
    const counter = { pk: 'hot', sk: 'COUNTER' };

    const outcomes = await Promise.all(
      Array.from({ length: 64 }, (_, index) =>
        table.write([
          { kind: 'put', item: { pk: 'hot', sk: `W#${index}` }, when: [ROW_IS_NEW] },
          { kind: 'update', key: counter, add: { n: 1 } },
        ]),
      ),
    );

    expect(outcomes.every((outcome) => outcome.written)).toBe(true);
    expect(await table.get(counter)).toMatchObject({ n: 64 });
    expect(conflicts()).toBeGreaterThan(0);
  });

  it('writes a single row by itself, and gives way to a transaction that holds the row', async () => {
    const client = ownClient();
    const conflicts = withConflicts(client);
    const commands: unknown[] = [];
    client.middlewareStack.add(
      (next, context) => (args) => {
        commands.push(context.commandName);
        return next(args);
      },
      { step: 'initialize' },
    );
    const table = new DynamoDbTable(client, name);
    const [row, other] = [
      { pk: 'alone', sk: 'A' },
      { pk: 'alone', sk: 'B' },
    ];
    const addTo = (key: typeof row) => ({ kind: 'update', key, add: { n: 1 } }) as const;

    await table.write([addTo(row)]);
    const alone = [...commands];
    await Promise.all(
      Array.from({ length: 32 }, () => [table.write([addTo(row), addTo(other)]), table.write([addTo(row)])]).flat(),
    );

    expect(alone).toEqual(['UpdateItemCommand']);
    expect(await table.get(row)).toMatchObject({ n: 65 });
    expect(conflicts()).toBeGreaterThan(0);
  });

  it('says that the table is busy when others stay in the way, after a bounded number of attempts', async () => {
    const client = ownClient();
    let attempts = 0;
    const reasons = [{ Code: 'None' }, { Code: 'TransactionConflict' }];
    client.middlewareStack.add(
      () => async () => {
        attempts += 1;
        throw new TransactionCanceledException({ $metadata: {}, message: '', CancellationReasons: reasons });
      },
      { step: 'initialize' },
    );
    const random = vi.spyOn(Math, 'random').mockReturnValue(0);
    const table = new DynamoDbTable(client, name);

    const write = table.write([
      { kind: 'put', item: { pk: 'busy', sk: 'A' } },
      { kind: 'put', item: { pk: 'busy', sk: 'B' } },
    ]);

    await expect(write).rejects.toMatchObject({ name: 'TransientError', code: 'TABLE_BUSY' });
    expect(attempts).toBe(13);
    random.mockRestore();
  });
});
