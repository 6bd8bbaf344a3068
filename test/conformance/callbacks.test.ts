import {
  SendTaskFailureCommand,
  SendTaskHeartbeatCommand,
  SendTaskSuccessCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CloudUnderTest } from '#test/conformance/cloud-under-test.ts';
import { single, tokenOf, waiting } from '#test/conformance/machines.ts';
import { refusal } from '#test/conformance/refusal.ts';

let cloud: CloudUnderTest;
beforeAll(async () => {
  cloud = await CloudUnderTest.start();
});
afterAll(() => cloud.remove());

const succeed = (taskToken: string, output = '{}') => cloud.sfn.send(new SendTaskSuccessCommand({ taskToken, output }));
const beat = (taskToken: string) => cloud.sfn.send(new SendTaskHeartbeatCommand({ taskToken }));

test('completes a task with its token, once', async () => {
  const queue = await cloud.queue();
  const arn = await cloud.start(single(waiting(queue.url)));
  const token = tokenOf((await cloud.receive(queue.url))[0]);

  await beat(token);
  await succeed(token, '{"rows": 7}');

  expect(await cloud.ended(arn)).toMatchObject({ status: 'SUCCEEDED', output: { rows: 7 } });
  expect(await refusal(succeed(token))).toBe('TaskTimedOut');
});

test('fails a task with the error that its worker names', async () => {
  const queue = await cloud.queue();
  const arn = await cloud.start(single(waiting(queue.url)));
  const taskToken = tokenOf((await cloud.receive(queue.url))[0]);

  await cloud.sfn.send(new SendTaskFailureCommand({ taskToken, error: 'SiteClosed', cause: 'maintenance' }));

  expect(await cloud.ended(arn)).toMatchObject({ status: 'FAILED', error: 'SiteClosed', cause: 'maintenance' });
});

test('fails a task whose worker is silent', async () => {
  const queue = await cloud.queue();
  const arn = await cloud.start(single(waiting(queue.url, { HeartbeatSeconds: 1 })));
  const token = tokenOf((await cloud.receive(queue.url))[0]);

  const outcome = await cloud.ended(arn);

  expect(outcome).toMatchObject({ status: 'FAILED', error: 'States.HeartbeatTimeout' });
  expect(await refusal(beat(token))).toBe('TaskTimedOut');
  expect(await refusal(succeed(token))).toBe('TaskTimedOut');
});

test('fails a task at its timeout, however often its worker calls', async () => {
  const queue = await cloud.queue();
  const arn = await cloud.start(single(waiting(queue.url, { TimeoutSeconds: 2, HeartbeatSeconds: 30 })));
  const token = tokenOf((await cloud.receive(queue.url))[0]);
  await beat(token);

  const outcome = await cloud.ended(arn);

  expect(outcome).toMatchObject({ status: 'FAILED', error: 'States.Timeout' });
  expect(await refusal(succeed(token))).toBe('TaskTimedOut');
});

test('gives every attempt a token of its own', async () => {
  const queue = await cloud.queue();
  const Retry = [{ ErrorEquals: ['States.HeartbeatTimeout'], IntervalSeconds: 1, MaxAttempts: 1 }];
  const arn = await cloud.start(single(waiting(queue.url, { HeartbeatSeconds: 2, Retry })));
  const first = tokenOf((await cloud.receive(queue.url))[0]);
  const second = tokenOf((await cloud.receive(queue.url, 10))[0]);

  const late = await refusal(succeed(first, '"late"'));
  await succeed(second, '"in time"');

  expect(second).not.toBe(first);
  expect(late).toBe('TaskTimedOut');
  expect(await cloud.ended(arn)).toMatchObject({ status: 'SUCCEEDED', output: 'in time' });
});

test('refuses the token of a stopped execution', async () => {
  const queue = await cloud.queue();
  const executionArn = await cloud.start(single(waiting(queue.url)));
  const token = tokenOf((await cloud.receive(queue.url))[0]);

  await cloud.sfn.send(new StopExecutionCommand({ executionArn, error: 'Operator', cause: 'wrong plan' }));

  expect(await refusal(succeed(token))).toBe('TaskTimedOut');
  expect(await cloud.ended(executionArn)).toMatchObject({ status: 'ABORTED', error: 'Operator', cause: 'wrong plan' });
});

test('gives up the siblings of a failed iteration', async () => {
  const queue = await cloud.queue();
  const States = {
    Which: { Type: 'Choice', Choices: [{ Variable: '$', NumericEquals: 1, Next: 'Agent' }], Default: 'Later' },
    Agent: waiting(queue.url),
    Later: { Type: 'Wait', Seconds: 1, Next: 'Fail' },
    Fail: { Type: 'Fail', Error: 'BadPart' },
  };
  const arn = await cloud.start(single({ Type: 'Map', ItemProcessor: { StartAt: 'Which', States } }), [1, 2]);
  const token = tokenOf((await cloud.receive(queue.url))[0]);

  const outcome = await cloud.ended(arn);

  expect(outcome).toMatchObject({ status: 'FAILED', error: 'BadPart' });
  expect(await refusal(succeed(token))).toBe('TaskTimedOut');
});

test('refuses what is no token, and an output that is no JSON', async () => {
  const queue = await cloud.queue();
  const arn = await cloud.start(single(waiting(queue.url)));
  const token = tokenOf((await cloud.receive(queue.url))[0]);

  const answers = [await refusal(succeed('nonsense')), await refusal(succeed(token, '{"open": '))];

  expect(answers).toEqual(['InvalidToken', 'InvalidOutput']);
  await succeed(token);
  expect(await cloud.ended(arn)).toMatchObject({ status: 'SUCCEEDED' });
});
