import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { StopExecutionCommand } from '@aws-sdk/client-sfn';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { S3ObjectStore } from '#adapters/s3-object-store.ts';
import { runAgent } from '#bridge-agent/agent.ts';
import { readAlgorithms } from '#bridge-agent/algorithms.ts';
import { sha256 } from '#core/digest.ts';
import { jobAnswerSchema, type ObjectRef } from '#core/job.ts';
import { REGION } from '#local/cloud.ts';
import { type Behaviour, TestSite, until } from '#test/bridge-agent/site.ts';
import { CloudUnderTest, ROLE } from '#test/conformance/cloud-under-test.ts';
import { single, waiting } from '#test/conformance/machines.ts';

const ALGORITHMS = join(import.meta.dirname, '..', '..', 'schemas', 'algorithms');

/** S3, SQS, Step Functions and STS through their SDK, as at a site; the worker alone is a stand-in. */
describe('the agent with the cloud’s real services', () => {
  let cloud: CloudUnderTest;
  let site: TestSite;
  let lake: S3ObjectStore;
  let queueUrl: string;
  const stop = new AbortController();
  let agent: Promise<void>;

  beforeAll(async () => {
    process.env.AWS_ACCESS_KEY_ID = 'test';
    process.env.AWS_SECRET_ACCESS_KEY = 'test';
    cloud = await CloudUnderTest.start();
    const bucket = await cloud.bucket();
    lake = new S3ObjectStore(cloud.s3, bucket);
    queueUrl = (await cloud.queue()).url;
    site = TestSite.create({
      region: REGION,
      endpoint: cloud.handle.url,
      queueUrl,
      lakeBucket: bucket,
      credentials: { roleArn: ROLE },
      algorithmsFolder: ALGORITHMS,
      logLevel: 'silent',
    });
    agent = runAgent(site.configuration, { stop: stop.signal, drain: stop.signal });
  });
  afterEach(async () => {
    await until('no process of a job', () => site.processes().length === 0);
  });
  afterAll(async () => {
    stop.abort();
    await agent;
    site.remove();
    await cloud.remove();
  });

  /** A machine with one state that asks for an inform and waits for its answer. */
  async function machine(name: string, order: { readonly seconds: number; readonly behave: Behaviour }, more = {}) {
    const content = Buffer.from(JSON.stringify({ log: site.workLog, ...order }));
    const training: ObjectRef = await lake.putBytes(`training/${name}.json`, content, 'application/json');
    const message = {
      version: 1,
      kind: 'inform',
      workKey: sha256(name),
      'taskToken.$': '$$.Task.Token',
      release: 'test',
      campaign: 'test',
      algorithm: 'bpz',
      configurationDigest: (await readAlgorithms(ALGORITHMS)).get('bpz'),
      outputPrefix: `work/${name}`,
      training,
      heldOut: { fraction: 0.25, seed: 1 },
    };
    return single({ ...waiting(queueUrl, more), Parameters: { QueueUrl: queueUrl, MessageBody: message } });
  }

  it('answers a waiting execution, whose heartbeat is shorter than the work', async () => {
    const execution = await cloud.run(
      await machine('answered', { seconds: 4, behave: 'succeed' }, { HeartbeatSeconds: 2 }),
    );
    expect(execution).toMatchObject({ status: 'SUCCEEDED' });
    const { result } = jobAnswerSchema.parse(execution.output);
    expect(await lake.head(result.key)).toMatchObject({ sizeBytes: result.sizeBytes, declaredSha256: result.sha256 });
  });

  it('fails an execution whose work failed, with the name to match and the sentence to read', async () => {
    const execution = await cloud.run(await machine('failed', { seconds: 0, behave: 'science' }));
    expect(execution).toMatchObject({ status: 'FAILED', error: 'JobFailed' });
    expect(execution.cause).toContain('was asked to fail');
  });

  it('gives up the work of an execution that was stopped', async () => {
    const arn = await cloud.start(await machine('stopped', { seconds: 60, behave: 'succeed' }));
    await until('a running unit', () => site.worked('start').includes(sha256('stopped')));
    await cloud.sfn.send(new StopExecutionCommand({ executionArn: arn }));
    await until('an empty scratch', () => !existsSync(join(site.configuration.scratch, 'work', sha256('stopped'))));
    expect(site.worked('record')).not.toContain(sha256('stopped'));
  });
});
