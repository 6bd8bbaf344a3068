import { Logger } from '@aws-lambda-powertools/logger';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { SFNClient } from '@aws-sdk/client-sfn';
import { SQSClient } from '@aws-sdk/client-sqs';
import { z } from 'zod';
import { DynamoDbTable } from '#adapters/dynamodb-table.ts';
import { S3ObjectStore } from '#adapters/s3-object-store.ts';
import { SqsQueue } from '#adapters/sqs-queue.ts';
import { StateMachine, StepFunctionsCallback } from '#adapters/step-functions.ts';
import type { Clock, MessageQueue, TaskCallback, Workflow } from '#core/ports.ts';
import type { Table } from '#core/table.ts';

/** What a function may reach; its role decides which of it answers. */
export interface Services {
  readonly table: Table;
  readonly landing: S3ObjectStore;
  readonly lake: S3ObjectStore;
  readonly quarantine: S3ObjectStore;
  readonly delivery: S3ObjectStore;
  readonly intake: MessageQueue;
  readonly chunkMachine: Workflow;
  readonly manifestMachine: Workflow;
  readonly campaignMachine: Workflow;
  readonly deliveryMachine: Workflow;
  readonly callback: TaskCallback;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A function that does not use a service is not told of it; `none` then makes a call to it fail by name. */
const absent = z.string().default('none');
const environmentSchema = z.object({
  TABLE: z.string(),
  LANDING_BUCKET: absent,
  LAKE_BUCKET: absent,
  QUARANTINE_BUCKET: absent,
  DELIVERY_BUCKET: absent,
  INTAKE_QUEUE_URL: absent,
  CHUNK_MACHINE_ARN: absent,
  MANIFEST_MACHINE_ARN: absent,
  CAMPAIGN_MACHINE_ARN: absent,
  DELIVERY_MACHINE_ARN: absent,
});

export const log = new Logger({ serviceName: 'ponte' });

/** Reads the configuration once, at the cold start. @throws {ZodError} when the deployment left something out. */
export function connect(environment: NodeJS.ProcessEnv): Services {
  const config = environmentSchema.parse(environment);
  // What is large is hashed where it is read: a second time, by the client, would be time that each chunk pays for.
  const s3 = new S3Client({ responseChecksumValidation: 'WHEN_REQUIRED' });
  const sfn = new SFNClient({});
  return {
    table: new DynamoDbTable(new DynamoDBClient({}), config.TABLE),
    landing: new S3ObjectStore(s3, config.LANDING_BUCKET),
    lake: new S3ObjectStore(s3, config.LAKE_BUCKET),
    quarantine: new S3ObjectStore(s3, config.QUARANTINE_BUCKET),
    delivery: new S3ObjectStore(s3, config.DELIVERY_BUCKET),
    intake: new SqsQueue(new SQSClient({}), config.INTAKE_QUEUE_URL),
    chunkMachine: new StateMachine(sfn, config.CHUNK_MACHINE_ARN),
    manifestMachine: new StateMachine(sfn, config.MANIFEST_MACHINE_ARN),
    campaignMachine: new StateMachine(sfn, config.CAMPAIGN_MACHINE_ARN),
    deliveryMachine: new StateMachine(sfn, config.DELIVERY_MACHINE_ARN),
    callback: new StepFunctionsCallback(sfn),
    clock: { now: () => new Date() },
    log,
  };
}
