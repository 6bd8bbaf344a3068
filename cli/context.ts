import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { SFNClient } from '@aws-sdk/client-sfn';
import { SQSClient } from '@aws-sdk/client-sqs';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { z } from 'zod';
import { DynamoDbTable } from '#adapters/dynamodb-table.ts';
import { S3ObjectStore } from '#adapters/s3-object-store.ts';
import { SqsQueue } from '#adapters/sqs-queue.ts';
import { StateMachine, StepFunctionsCallback } from '#adapters/step-functions.ts';
import { ponteHome } from '#cli/home.ts';
import { InputError } from '#core/errors.ts';
import type { MessageQueue, TaskCallback, Workflow } from '#core/ports.ts';
import type { Table } from '#core/table.ts';

/** Which deployment the command talks to: the outputs of `cdk deploy`, and variables for the SDK. */
export const contextFileSchema = z.strictObject({
  version: z.literal(1),
  outputs: z.object({
    LandingBucket: z.string(),
    LakeBucket: z.string(),
    QuarantineBucket: z.string(),
    DeliveryBucket: z.string(),
    TableName: z.string(),
    IntakeQueueUrl: z.string(),
    JobQueueUrl: z.string(),
    ChunkMachineArn: z.string(),
    CampaignMachineArn: z.string(),
    DeliveryMachineArn: z.string(),
    AgentRoleArn: z.string(),
  }),
  /** AWS_* variables that are set unless the caller has set them: an endpoint, a region, a profile. */
  environment: z.record(z.string(), z.string()),
});
export type ContextFile = z.infer<typeof contextFileSchema>;

const contextPath = (home: string) => join(home, 'context.json');

export async function writeContext(home: string, context: ContextFile): Promise<void> {
  await mkdir(home, { recursive: true });
  await writeFile(contextPath(home), `${JSON.stringify(context, null, 2)}\n`, { mode: 0o600 });
}

/** @throws {InputError} `NO_CLOUD` when nothing was deployed from here yet. */
export async function readContext(home: string): Promise<ContextFile> {
  try {
    return contextFileSchema.parse(JSON.parse(await readFile(contextPath(home), 'utf8')));
  } catch (error) {
    throw new InputError(`this machine knows no deployment (${contextPath(home)} is not readable)`, {
      code: 'NO_CLOUD',
      hint: 'Start a local one with `ponte local up`, or write the outputs of `cdk deploy` there (docs/operator.md).',
      cause: error,
    });
  }
}

/** What the operator's commands reach, with the operator's own credentials. */
export interface Cloud {
  readonly table: Table;
  readonly landing: S3ObjectStore;
  readonly lake: S3ObjectStore;
  readonly quarantine: S3ObjectStore;
  readonly delivery: S3ObjectStore;
  readonly intake: MessageQueue;
  readonly callback: TaskCallback;
  readonly campaignMachine: Pick<StateMachine, 'stop'>;
  readonly deliveryMachine: Workflow;
  readonly outputs: ContextFile['outputs'];
  /** The ARN that signs this command's requests. */
  identity(): Promise<string>;
}

export async function openCloud(home = ponteHome()): Promise<Cloud> {
  const { outputs, environment } = await readContext(home);
  for (const [name, value] of Object.entries(environment)) process.env[name] ??= value;
  const s3 = new S3Client({});
  const sfn = new SFNClient({});
  return {
    table: new DynamoDbTable(new DynamoDBClient({}), outputs.TableName),
    landing: new S3ObjectStore(s3, outputs.LandingBucket),
    lake: new S3ObjectStore(s3, outputs.LakeBucket),
    quarantine: new S3ObjectStore(s3, outputs.QuarantineBucket),
    delivery: new S3ObjectStore(s3, outputs.DeliveryBucket),
    intake: new SqsQueue(new SQSClient({}), outputs.IntakeQueueUrl),
    callback: new StepFunctionsCallback(sfn),
    campaignMachine: new StateMachine(sfn, outputs.CampaignMachineArn),
    deliveryMachine: new StateMachine(sfn, outputs.DeliveryMachineArn),
    outputs,
    identity: async () => (await new STSClient({}).send(new GetCallerIdentityCommand({}))).Arn ?? 'unknown',
  };
}
