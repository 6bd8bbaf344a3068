import { Duration } from 'aws-cdk-lib';
import type { Table } from 'aws-cdk-lib/aws-dynamodb';
import { Rule } from 'aws-cdk-lib/aws-events';
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { Choice, Condition, DefinitionBody, StateMachine, Succeed } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { allowGetVersions, allowPut, allowRead } from '#infra/bucket-access.ts';
import type { FunctionCode } from '#infra/code.ts';
import { lambdaStep } from '#infra/lambda-step.ts';
import { machineLogs } from '#infra/machine-logs.ts';
import { PonteFunction } from '#infra/ponte-function.ts';
import { QueuePair } from '#infra/queues.ts';
import type { Storage } from '#infra/storage.ts';

export interface IntakeProps {
  readonly code: FunctionCode;
  readonly storage: Storage;
  readonly table: Table;
}

const INTAKE_TIMEOUT = Duration.minutes(1);

/**
 * Of the function that takes uploads from the queue, kept for it: when the chunks of the first uploads fill the account's
 * concurrency, it would be throttled, and each of its messages would wait out its visibility timeout of six minutes, after
 * five times in the dead letters. The queue hands out no more at once, so none is throttled at the reservation either.
 */
const TAKES_AT_ONCE = 5;

/** From an upload event to a chunk that is skinny or in quarantine. */
export class Intake extends Construct {
  readonly queue: QueuePair;
  readonly machine: StateMachine;
  readonly take: PonteFunction;
  readonly record: PonteFunction;
  readonly manifest: PonteFunction;

  constructor(scope: Construct, id: string, { code, storage, table }: IntakeProps) {
    super(scope, id);
    const { landing, lake, quarantine } = storage;
    // AWS asks for six times the function's timeout, so that a message is not handed out again while it is handled.
    this.queue = new QueuePair(this, 'Intake', { visibilityTimeout: Duration.minutes(6), maxReceiveCount: 5 });
    new Rule(this, 'Uploaded', {
      description: 'Objects created in the landing bucket',
      eventPattern: {
        source: ['aws.s3'],
        detailType: ['Object Created'],
        detail: { bucket: { name: [landing.bucketName] }, object: { key: [{ prefix: 'releases/' }] } },
      },
      targets: [new SqsQueue(this.queue.queue, { deadLetterQueue: this.queue.deadLetters })],
    });

    const environment = {
      TABLE: table.tableName,
      LANDING_BUCKET: landing.bucketName,
      LAKE_BUCKET: lake.bucketName,
      QUARANTINE_BUCKET: quarantine.bucketName,
      INTAKE_QUEUE_URL: this.queue.queue.queueUrl,
    };
    const inspect = new PonteFunction(this, 'Inspect', {
      code,
      name: 'inspect',
      environment,
      memoryMb: 2048,
      diskGb: 10,
      timeout: Duration.minutes(15),
    });
    this.manifest = new PonteFunction(this, 'Manifest', {
      code,
      name: 'manifest',
      environment,
      timeout: Duration.minutes(15),
    });
    this.record = new PonteFunction(this, 'Record', { code, name: 'record', environment });
    for (const reader of [inspect, this.manifest, this.record]) {
      table.grantReadWriteData(reader);
      allowRead(reader, landing, 'releases/*');
    }
    allowGetVersions(inspect, landing, 'releases/*');
    allowRead(inspect, lake, 'ancillary/*');
    allowPut(inspect, lake, 'skinny/*', 'chunks/*');
    allowRead(this.record, lake, 'chunks/*');
    for (const judge of [this.record, this.manifest]) allowPut(judge, quarantine, '*');
    for (const asker of [inspect, this.manifest, this.record]) this.queue.queue.grantSendMessages(asker);

    this.machine = new StateMachine(this, 'Chunk', {
      comment: 'One look at one uploaded object',
      definitionBody: DefinitionBody.fromChainable(
        new Choice(this, 'WhatIsIt')
          .when(
            Condition.stringEquals('$.kind', 'manifest'),
            lambdaStep(this, 'TakeManifest', { lambdaFunction: this.manifest }),
          )
          .otherwise(
            lambdaStep(this, 'CheckAndDerive', {
              lambdaFunction: inspect,
            }).next(
              new Choice(this, 'AnythingToSettle')
                .when(
                  Condition.stringEquals('$.outcome', 'settle'),
                  lambdaStep(this, 'Settle', { lambdaFunction: this.record }),
                )
                .otherwise(new Succeed(this, 'NothingToDo')),
            ),
          ),
      ),
      timeout: Duration.hours(2),
      logs: machineLogs(this, 'ChunkLogs'),
    });

    this.take = new PonteFunction(this, 'Take', {
      code,
      name: 'intake',
      environment: { ...environment, CHUNK_MACHINE_ARN: this.machine.stateMachineArn },
      timeout: INTAKE_TIMEOUT,
      reservedConcurrency: TAKES_AT_ONCE,
    });
    this.take.addEventSource(
      new SqsEventSource(this.queue.queue, {
        batchSize: 10,
        reportBatchItemFailures: true,
        maxConcurrency: TAKES_AT_ONCE,
      }),
    );
    table.grantReadData(this.take);
    allowRead(this.take, landing, 'releases/*');
    this.machine.grantStartExecution(this.take);
    this.machine.grantExecution(this.take, 'states:DescribeExecution');
  }
}
