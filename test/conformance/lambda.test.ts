import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CloudUnderTest } from '#test/conformance/cloud-under-test.ts';
import { invoking } from '#test/conformance/machines.ts';

let cloud: CloudUnderTest;
beforeAll(async () => {
  cloud = await CloudUnderTest.start();
});
afterAll(() => cloud.remove());

const FAILING = `
  class TransientError extends Error { constructor(m) { super(m); this.name = 'TransientError'; } }
  exports.handler = async (event) => {
    if (event.fail) throw new TransientError('try again');
    return { pid: process.pid };
  };`;

test('reports the name of the error', async () => {
  const name = await cloud.lambda(FAILING);

  const answer = await cloud.invoke(name, { fail: true });

  expect(answer.body).toMatchObject({ errorType: 'TransientError', errorMessage: 'try again' });
  expect(answer.body).toHaveProperty('trace');
});

test('keeps the process warm after an error of the handler', async () => {
  const name = await cloud.lambda(FAILING);
  const before = await cloud.invoke(name, {});

  await cloud.invoke(name, { fail: true });

  expect(await cloud.invoke(name, {})).toEqual(before);
});

test('starts a new process after one has died', async () => {
  const name = await cloud.lambda('exports.handler = async (e) => (e.die ? process.exit(1) : "alive");');

  const died = await cloud.invoke(name, { die: true });

  expect(died.body).toMatchObject({ errorType: 'Runtime.ExitError' });
  expect(await cloud.invoke(name, {})).toMatchObject({ status: 200, body: 'alive' });
});

test('ends an invocation at its timeout', async () => {
  const name = await cloud.lambda('exports.handler = () => new Promise((done) => setTimeout(done, 60000));', {
    Timeout: 1,
  });

  const answer = await cloud.invoke(name, {});

  expect(answer.body).toMatchObject({ errorType: 'Sandbox.Timedout' });
});

test('unpacks a function once', async () => {
  const name = await cloud.lambda(
    'exports.handler = async () => (await new Promise((r) => setTimeout(r, 500)), require("node:fs").statSync(__filename).ino);',
  );

  const answers = await Promise.all([cloud.invoke(name, {}), cloud.invoke(name, {}), cloud.invoke(name, {})]);

  // Three processes that read one and the same file.
  expect(new Set(answers.map((answer) => answer.body)).size).toBe(1);
  expect(answers[0]?.body).toBeTypeOf('number');
});

test('enforces the memory size', async () => {
  const name = await cloud.lambda(
    `exports.handler = async () => {
      const kept = [];
      for (let i = 0; i < 60; i++) { kept.push(Buffer.alloc(20 << 20, 1)); await new Promise((r) => setTimeout(r, 20)); }
      return kept.length;
    };`,
    { MemorySize: 256 },
  );

  const answer = await cloud.invoke(name, {});

  expect(answer.body).toMatchObject({ errorType: 'Runtime.OutOfMemory' });
});

test('refuses a request above 6 MB', async () => {
  const name = await cloud.lambda('exports.handler = async () => "ran";');

  const answer = await cloud.invoke(name, { text: 'x'.repeat(7 << 20) });

  expect(answer.status).toBe(413);
});

test('refuses a response above 6 MB', async () => {
  const name = await cloud.lambda('exports.handler = async () => "x".repeat(7 << 20);');

  const answer = await cloud.invoke(name, {});

  expect(answer.body).toMatchObject({ errorType: 'Function.ResponseSizeTooLarge' });
});

test('gives a function the endpoint and the Node of this repository', async () => {
  const name = await cloud.lambda('exports.handler = async () => [process.env.AWS_ENDPOINT_URL, process.version];');
  const node = await readdir(join(import.meta.dirname, '../../node_modules/node'));

  const answer = await cloud.invoke(name, {});

  expect(node).toContain('package.json');
  expect(answer.body).toEqual([cloud.handle.url, expect.stringMatching(/^v24\./)]);
});

test('names what a state finds when too many functions run already, and lets it wait its turn', async () => {
  await cloud.restart({ env: { LAMBDA_ACCOUNT_CONCURRENCY: '1' } });
  const slow = await cloud.lambda('exports.handler = () => new Promise((done) => setTimeout(done, 1500, "ran"));');
  const patient = { Retry: [{ ErrorEquals: ['Lambda.TooManyRequestsException'], IntervalSeconds: 1, MaxAttempts: 9 }] };
  const machine = (more: object) => ({ StartAt: 'Only', States: { Only: invoking(slow, more) } });

  const first = await cloud.start(machine({}));
  await sleep(300);
  const [refused, waited] = await Promise.all([cloud.run(machine({})), cloud.run(machine(patient))]);

  expect(await cloud.ended(first)).toMatchObject({ status: 'SUCCEEDED', output: 'ran' });
  expect(refused).toMatchObject({ status: 'FAILED', error: 'Lambda.TooManyRequestsException' });
  expect(waited).toMatchObject({ status: 'SUCCEEDED', output: 'ran' });
});

test('keeps for a function what its template reserves', async () => {
  await cloud.restart({ env: { LAMBDA_ACCOUNT_CONCURRENCY: '1' } });
  const code = 'exports.handler = () => new Promise((done) => setTimeout(done, 1500, "ran"));';
  const [busy, other] = [await cloud.lambda(code), await cloud.lambda(code)];
  const Properties = {
    FunctionName: 'reserved',
    Runtime: 'nodejs22.x',
    Handler: 'index.handler',
    Role: 'arn:aws:iam::000000000000:role/any',
    Code: { ZipFile: code },
    ReservedConcurrentExecutions: 1,
  };
  await cloud.stack({ Resources: { Reserved: { Type: 'AWS::Lambda::Function', Properties } } });

  const first = cloud.invoke(busy, {});
  await sleep(300);
  const [own, second, throttled] = await Promise.all([
    cloud.invoke('reserved', {}),
    sleep(300).then(() => cloud.invoke('reserved', {})),
    cloud.invoke(other, {}),
  ]);

  expect((await first).body).toBe('ran');
  expect(own).toMatchObject({ status: 200, body: 'ran' });
  expect(second.status).toBe(429);
  expect(throttled.status).toBe(429);
});
