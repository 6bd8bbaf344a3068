import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ScanCommand } from '@aws-sdk/client-dynamodb';
import {
  CreateStateMachineCommand,
  ListExecutionsCommand,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CloudUnderTest, ROLE } from '#test/conformance/cloud-under-test.ts';
import { invoking, single } from '#test/conformance/machines.ts';
import { refusal } from '#test/conformance/refusal.ts';

let cloud: CloudUnderTest;
let failing: string;
beforeAll(async () => {
  cloud = await CloudUnderTest.start();
  failing = await cloud.lambda(`exports.handler = async (event) => {
    if (event.fail) { const error = new Error('asked to'); error.name = event.fail; throw error; }
    return event.blobBytes ? 'x'.repeat(event.blobBytes) : event;
  };`);
});
afterAll(() => cloud.remove());

test('retries by the name of the error', async () => {
  const Retry = [{ ErrorEquals: ['TransientError'], IntervalSeconds: 1, MaxAttempts: 2, BackoffRate: 1 }];

  const outcome = await cloud.run(single(invoking(failing, { Retry })), { fail: 'TransientError' });

  expect(outcome).toMatchObject({ status: 'FAILED', error: 'TransientError' });
  expect((await cloud.history(outcome.arn)).filter((type) => type === 'TaskFailed')).toHaveLength(3);
});

test('catches by name', async () => {
  const Catch = [{ ErrorEquals: ['InputError'], ResultPath: '$.caught', Next: 'Caught' }];
  const States = { Only: { ...invoking(failing), Catch }, Caught: { Type: 'Pass', End: true } };

  const outcome = await cloud.run({ StartAt: 'Only', States }, { fail: 'InputError' });

  expect(outcome.output).toMatchObject({ fail: 'InputError', caught: { Error: 'InputError' } });
});

test('obeys MaxDelaySeconds', async () => {
  const Retry = [{ ErrorEquals: ['States.ALL'], IntervalSeconds: 50, MaxAttempts: 1, MaxDelaySeconds: 1 }];

  const outcome = await cloud.run(single(invoking(failing, { Retry })), { fail: 'Any' });

  expect(outcome).toMatchObject({ status: 'FAILED', error: 'Any' });
});

test('times out a machine', async () => {
  const outcome = await cloud.run(single({ Type: 'Wait', Seconds: 60 }, { TimeoutSeconds: 1 }));

  expect(outcome.status).toBe('TIMED_OUT');
});

test('assigns variables', async () => {
  const definition = {
    StartAt: 'Set',
    States: {
      Set: { Type: 'Pass', Assign: { 'release.$': '$.release', rows: 3 }, ResultPath: null, Next: 'Loop' },
      Loop: {
        Type: 'Map',
        ItemProcessor: {
          StartAt: 'Inner',
          States: {
            Inner: { Type: 'Pass', Assign: { rows: 99 }, Parameters: { 'seen.$': '$rows' }, End: true },
          },
        },
        ItemSelector: {},
        ItemsPath: '$release.items',
        ResultPath: null,
        Next: 'Use',
      },
      Use: {
        Type: 'Pass',
        Parameters: { 'name.$': '$release.name', 'text.$': "States.Format('{} rows', $rows)" },
        End: true,
      },
    },
  };

  const outcome = await cloud.run(definition, { release: { name: 'dp1', items: [1, 2] } });

  expect(outcome).toMatchObject({ status: 'SUCCEEDED', output: { name: 'dp1', text: '3 rows' } });
});

test('fails on a path that leads nowhere', async () => {
  const outcome = await cloud.run(single({ Type: 'Pass', Parameters: { 'sum.$': '$.digset' } }), { digest: 'ab' });

  expect(outcome).toMatchObject({ status: 'FAILED', error: 'States.ParameterPathFailure' });
});

test('chooses by presence, null included', async () => {
  const rule = { Variable: '$.found', IsPresent: true, Next: 'Yes' };
  const States = { Only: { Type: 'Choice', Choices: [rule], Default: 'No' }, Yes: end('yes'), No: end('no') };

  const outcomes = await Promise.all(
    [{ found: null }, {}].map((input) => cloud.run({ StartAt: 'Only', States }, input)),
  );

  expect(outcomes.map((outcome) => outcome.output)).toEqual(['yes', 'no']);
});

function end(result: string): object {
  return { Type: 'Pass', Result: result, End: true };
}

test('starts an execution once', async () => {
  const stateMachineArn = await cloud.machine(single({ Type: 'Wait', Seconds: 2 }));
  const request = { stateMachineArn, name: 'digest', input: '{"chunk": 1}' };
  const first = await cloud.sfn.send(new StartExecutionCommand(request));

  const again = await cloud.sfn.send(new StartExecutionCommand(request));
  const other = await refusal(cloud.sfn.send(new StartExecutionCommand({ ...request, input: '{"chunk": 2}' })));
  await cloud.ended(first.executionArn ?? '');
  const later = await refusal(cloud.sfn.send(new StartExecutionCommand(request)));

  expect(again.executionArn).toBe(first.executionArn);
  expect([other, later]).toEqual(['ExecutionAlreadyExists', 'ExecutionAlreadyExists']);
});

test('refuses payloads above 256 KiB', async () => {
  const stateMachineArn = await cloud.machine(single({ Type: 'Pass' }));
  const input = JSON.stringify('x'.repeat(262_145));

  const started = await refusal(cloud.sfn.send(new StartExecutionCommand({ stateMachineArn, input })));
  const outcome = await cloud.run(single(invoking(failing)), { blobBytes: 262_145 });

  expect(started).toBe('ValidationException');
  expect(outcome).toMatchObject({ status: 'FAILED', error: 'States.DataLimitExceeded' });
});

test('refuses a definition with a missing target', async () => {
  const definition = JSON.stringify({ StartAt: 'A', States: { A: { Type: 'Pass', Next: 'Nowhere' } } });

  const answer = await refusal(
    cloud.sfn.send(new CreateStateMachineCommand({ name: randomUUID(), definition, roleArn: ROLE })),
  );

  expect(answer).toBe('InvalidDefinition');
});

test('stops a running Map', async () => {
  const table = await cloud.table();
  const item = { pk: { 'S.$': "States.Format('{}', $)" }, sk: { S: '-' } };
  const put = {
    Type: 'Task',
    Resource: 'arn:aws:states:::dynamodb:putItem',
    Parameters: { TableName: table, Item: item },
  };
  const States = { Put: { ...put, Next: 'Pause' }, Pause: { Type: 'Wait', Seconds: 1, End: true } };
  const definition = single({ Type: 'Map', MaxConcurrency: 1, ItemProcessor: { StartAt: 'Put', States } });
  const written = async () => (await cloud.dynamodb.send(new ScanCommand({ TableName: table }))).Count ?? 0;
  const executionArn = await cloud.start(definition, [1, 2, 3, 4, 5, 6]);
  while ((await written()) === 0) await sleep(20);

  await cloud.sfn.send(new StopExecutionCommand({ executionArn }));
  const atStop = await written();
  await sleep(2500);

  expect(await written()).toBe(atStop);
  expect(await cloud.ended(executionArn)).toMatchObject({ status: 'ABORTED' });
});

test('runs a nested execution and stops it', async () => {
  const child = await cloud.machine(single({ Type: 'Wait', Seconds: 60 }));
  const quick = await cloud.machine(single({ Type: 'Pass', Result: { rows: 3 } }));
  const nested = (StateMachineArn: string) =>
    single({
      Type: 'Task',
      Resource: 'arn:aws:states:::states:startExecution.sync:2',
      Parameters: { StateMachineArn },
    });
  const children = async () =>
    (await cloud.sfn.send(new ListExecutionsCommand({ stateMachineArn: child }))).executions ?? [];

  const outcome = await cloud.run(nested(quick));
  const executionArn = await cloud.start(nested(child));
  while ((await children()).length === 0) await sleep(20);
  await cloud.sfn.send(new StopExecutionCommand({ executionArn }));

  expect(outcome.output).toMatchObject({ Status: 'SUCCEEDED', Output: { rows: 3 } });
  const [stopped] = await children();
  expect(await cloud.ended(stopped?.executionArn ?? '')).toMatchObject({ status: 'ABORTED' });
});

test('evaluates JSONata in Parallel and Map', async () => {
  const definition = {
    QueryLanguage: 'JSONata',
    StartAt: 'Both',
    States: {
      Both: {
        Type: 'Parallel',
        Arguments: { xs: '{% $states.input.xs %}' },
        Branches: [
          { StartAt: 'Sum', States: { Sum: { Type: 'Pass', Output: '{% $sum($states.input.xs) %}', End: true } } },
          {
            StartAt: 'Each',
            States: {
              Each: {
                Type: 'Map',
                Items: '{% $states.input.xs %}',
                ItemSelector: { x: '{% $states.context.Map.Item.Value %}' },
                ItemProcessor: {
                  StartAt: 'Twice',
                  States: { Twice: { Type: 'Pass', Output: '{% $states.input.x * 2 %}', End: true } },
                },
                End: true,
              },
            },
          },
        ],
        Output: '{% {"sum": $states.result[0], "twice": $states.result[1]} %}',
        End: true,
      },
    },
  };

  const outcome = await cloud.run(definition, { xs: [1, 2, 3] });

  expect(outcome).toMatchObject({ status: 'SUCCEEDED', output: { sum: 6, twice: [2, 4, 6] } });
});
