import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import {
  CreateStateMachineCommand,
  DescribeExecutionCommand,
  GetExecutionHistoryCommand,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  QueueAttributeName,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import {
  ACCOUNT,
  type CloudHandle,
  type CloudOptions,
  cloudStatus,
  REGION,
  resetCloud,
  startCloud,
  stopCloud,
} from '#local/cloud.ts';
import type { Outcome } from '#test/conformance/machines.ts';
import { accepted, cloudFormation, request } from '#test/conformance/requests.ts';
import { unusedPort } from '#test/conformance/unused-port.ts';
import { zipOf } from '#test/conformance/zip.ts';

const REPOSITORY = join(import.meta.dirname, '..', '..');
export const ROLE = `arn:aws:iam::${ACCOUNT}:role/conformance`;
const CREDENTIALS = { accessKeyId: 'test', secretAccessKey: 'test' };

/** A local cloud of its own: temporary state, its own port, and the services that the checks use. */
export class CloudUnderTest {
  readonly handle: CloudHandle;
  readonly s3: S3Client;
  readonly sqs: SQSClient;
  readonly sfn: SFNClient;
  readonly dynamodb: DynamoDBClient;
  #options: CloudOptions;
  /** Of the machines that are created. Only a cloud that enforces IAM asks whether it exists. */
  role = ROLE;

  private constructor(handle: CloudHandle, options: CloudOptions) {
    this.handle = handle;
    this.#options = options;
    const client = { endpoint: handle.url, region: REGION, credentials: CREDENTIALS };
    this.s3 = new S3Client({ ...client, forcePathStyle: true });
    this.sqs = new SQSClient(client);
    this.sfn = new SFNClient(client);
    this.dynamodb = new DynamoDBClient(client);
  }

  /** `PONTE_CLOUD_WITHOUT` of the caller's environment is passed on, to show that a check fails without its fix. */
  static async start(): Promise<CloudUnderTest> {
    const options: CloudOptions = {
      home: await mkdtemp(join(tmpdir(), 'ponte-conformance-')),
      port: await unusedPort(),
      pythonHome: join(REPOSITORY, '.ponte'),
      log: (line) => process.stderr.write(`${line}\n`),
      env: { PONTE_CLOUD_WITHOUT: process.env.PONTE_CLOUD_WITHOUT ?? '', PONTE_CLOUD_SNAPSHOT_SECONDS: '1' },
    };
    return new CloudUnderTest(await startCloud(options), options);
  }

  /** SIGKILL and a new start on the same state. */
  async kill(): Promise<void> {
    process.kill(this.handle.pid, 'SIGKILL');
    while ((await cloudStatus(this.#options)) !== null) await sleep(10);
    const { pid } = await startCloud(this.#options);
    Object.assign(this.handle, { pid });
  }

  /** A stop in good order and a new start; other options also hold from then on. */
  async restart(change: Partial<CloudOptions> = {}): Promise<void> {
    this.#options = { ...this.#options, ...change };
    await stopCloud(this.#options);
    Object.assign(this.handle, await startCloud(this.#options));
  }

  /** Has what changed saved now, rather than at the next interval. */
  async snapshot(): Promise<void> {
    await fetch(`${this.handle.url}/_ponte/snapshot`, { method: 'POST' });
  }

  async remove(): Promise<void> {
    await resetCloud(this.#options);
    await rm(this.#options.home, { recursive: true, force: true });
  }

  async bucket(): Promise<string> {
    const name = `bucket-${randomUUID()}`;
    await this.s3.send(new CreateBucketCommand({ Bucket: name }));
    return name;
  }

  async queue(attributes: Record<string, string> = {}): Promise<{ readonly url: string; readonly arn: string }> {
    const created = await this.sqs.send(new CreateQueueCommand({ QueueName: randomUUID(), Attributes: attributes }));
    const url = created.QueueUrl ?? '';
    const known = await this.sqs.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['QueueArn'] }));
    return { url, arn: known.Attributes?.QueueArn ?? '' };
  }

  /** How many messages wait in a queue. */
  async messages(url: string): Promise<number> {
    const AttributeNames = [QueueAttributeName.ApproximateNumberOfMessages];
    const known = await this.sqs.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames }));
    return Number(known.Attributes?.ApproximateNumberOfMessages);
  }

  /** The bodies of up to ten messages, waiting for the first one. */
  async receive(url: string, waitSeconds = 5): Promise<string[]> {
    const answer = await this.sqs.send(
      new ReceiveMessageCommand({ QueueUrl: url, WaitTimeSeconds: waitSeconds, MaxNumberOfMessages: 10 }),
    );
    return (answer.Messages ?? []).map((message) => message.Body ?? '');
  }

  /** A table with the string keys `pk` and `sk`. */
  async table(): Promise<string> {
    const name = `table-${randomUUID()}`;
    await this.dynamodb.send(
      new CreateTableCommand({
        TableName: name,
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [
          { AttributeName: 'pk', AttributeType: 'S' },
          { AttributeName: 'sk', AttributeType: 'S' },
        ],
        KeySchema: [
          { AttributeName: 'pk', KeyType: 'HASH' },
          { AttributeName: 'sk', KeyType: 'RANGE' },
        ],
      }),
    );
    return name;
  }

  /** A Node function; `code` is CommonJS and exports `handler`. Returns its name. */
  async lambda(
    code: string,
    settings: { readonly MemorySize?: number; readonly Timeout?: number; readonly Role?: string } = {},
  ) {
    const name = `function-${randomUUID()}`;
    await this.post('/2015-03-31/functions', {
      FunctionName: name,
      Runtime: 'nodejs22.x',
      Handler: 'index.handler',
      Role: ROLE,
      Timeout: 30,
      MemorySize: 512,
      Code: { ZipFile: zipOf('index.js', code).toString('base64') },
      ...settings,
    });
    return name;
  }

  async invoke(name: string, event: unknown): Promise<{ readonly status: number; readonly body: unknown }> {
    const path = `/2015-03-31/functions/${name}/invocations`;
    return request(this.handle.url, { path, service: 'lambda', body: JSON.stringify(event) });
  }

  /** A request to a REST service that has no client among our dependencies. */
  post(path: string, body: unknown): Promise<unknown> {
    return accepted(this.handle.url, { path, service: 'lambda', body: JSON.stringify(body) });
  }

  /** A request to a JSON service that has no client among our dependencies, for instance `AWSEvents.PutRule`. */
  call(target: string, service: string, body: unknown): Promise<unknown> {
    return accepted(this.handle.url, { path: '/', service, target, body: JSON.stringify(body) });
  }

  /** An EventBridge rule on the default bus that sends what matches to a queue. */
  async rule(pattern: object, queueArn: string, InputTransformer?: object): Promise<void> {
    const Name = randomUUID();
    await this.call('AWSEvents.PutRule', 'events', { Name, EventPattern: JSON.stringify(pattern), State: 'ENABLED' });
    const Targets = [{ Id: 'queue', Arn: queueArn, ...(InputTransformer ? { InputTransformer } : {}) }];
    await this.call('AWSEvents.PutTargets', 'events', { Rule: Name, Targets });
  }

  /** Creates a CloudFormation stack and waits for it. */
  async stack(template: object): Promise<void> {
    const StackName = `stack-${randomUUID()}`;
    const { url } = this.handle;
    await cloudFormation(url, { Action: 'CreateStack', StackName, TemplateBody: JSON.stringify(template) });
    let answer = '';
    while (!answer.includes('CREATE_COMPLETE')) {
      answer = await cloudFormation(url, { Action: 'DescribeStacks', StackName });
      if (/FAILED|ROLLBACK/.test(answer)) throw new Error(answer);
    }
  }

  async machine(definition: object): Promise<string> {
    const created = await this.sfn.send(
      new CreateStateMachineCommand({
        name: randomUUID(),
        definition: JSON.stringify(definition),
        roleArn: this.role,
      }),
    );
    return created.stateMachineArn ?? '';
  }

  async runMachine(stateMachineArn: string, input: unknown = {}): Promise<Outcome> {
    const started = await this.sfn.send(new StartExecutionCommand({ stateMachineArn, input: JSON.stringify(input) }));
    return this.ended(started.executionArn ?? '');
  }

  async start(definition: object, input: unknown = {}): Promise<string> {
    const stateMachineArn = await this.machine(definition);
    const started = await this.sfn.send(new StartExecutionCommand({ stateMachineArn, input: JSON.stringify(input) }));
    return started.executionArn ?? '';
  }

  async run(definition: object, input: unknown = {}): Promise<Outcome> {
    return this.ended(await this.start(definition, input));
  }

  /** What became of an execution; `RUNNING` when it has not ended after a long time. */
  async ended(arn: string, withinSeconds = 12): Promise<Outcome> {
    const deadline = Date.now() + withinSeconds * 1000;
    for (;;) {
      const known = await this.sfn.send(new DescribeExecutionCommand({ executionArn: arn }));
      if (known.status !== 'RUNNING' || Date.now() > deadline) {
        const output: unknown = known.output ? JSON.parse(known.output) : undefined;
        return { arn, status: known.status ?? '', error: known.error, cause: known.cause, output };
      }
      await sleep(30);
    }
  }

  async history(executionArn: string): Promise<string[]> {
    const answer = await this.sfn.send(new GetExecutionHistoryCommand({ executionArn, maxResults: 1000 }));
    return (answer.events ?? []).map((event) => event.type ?? '');
  }
}
