import { Duration } from 'aws-cdk-lib';
import type { Table } from 'aws-cdk-lib/aws-dynamodb';
import { Rule } from 'aws-cdk-lib/aws-events';
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { DefinitionBody, StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
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
  readonly manifestMachine: StateMachine;
  readonly take: PonteFunction;
  readonly inspect: PonteFunction;
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
    this.inspect = new PonteFunction(this, 'Inspect', {
      code,
      name: 'inspect',
      environment,
      // A chunk of 5 GiB takes 1.1 GiB (bench skinny-memory), and a chunk waits for its bytes at the price of all of it.
      memoryMb: 1536,
      diskGb: 10,
      timeout: Duration.minutes(15),
    });
    this.manifest = new PonteFunction(this, 'Manifest', {
      code,
      name: 'manifest',
      environment,
      timeout: Duration.minutes(15),
    });
    for (const judge of [this.inspect, this.manifest]) {
      table.grantReadWriteData(judge);
      allowRead(judge, landing, 'releases/*');
      allowPut(judge, quarantine, '*');
      this.queue.queue.grantSendMessages(judge);
    }
    allowGetVersions(this.inspect, landing, 'releases/*');
    allowRead(this.inspect, lake, 'ancillary/*');
    allowPut(this.inspect, lake, 'skinny/*', 'chunks/*');

    // One state each: a transition costs as much as 1.5 GB-seconds, and there is one of each state for every chunk.
    this.machine = new StateMachine(this, 'Chunk', {
      comment: 'One look at one uploaded object',
      definitionBody: DefinitionBody.fromChainable(
        lambdaStep(this, 'CheckDeriveRecord', { lambdaFunction: this.inspect }),
      ),
      timeout: Duration.hours(2),
      logs: machineLogs(this, 'ChunkLogs'),
    });
    this.manifestMachine = new StateMachine(this, 'Manifests', {
      comment: 'The manifest of a release',
      definitionBody: DefinitionBody.fromChainable(lambdaStep(this, 'TakeManifest', { lambdaFunction: this.manifest })),
      timeout: Duration.hours(2),
      logs: machineLogs(this, 'ManifestMachineLogs'),
    });

    this.take = new PonteFunction(this, 'Take', {
      code,
      name: 'intake',
      environment: {
        ...environment,
        CHUNK_MACHINE_ARN: this.machine.stateMachineArn,
        MANIFEST_MACHINE_ARN: this.manifestMachine.stateMachineArn,
      },
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
    for (const machine of [this.machine, this.manifestMachine]) {
      machine.grantStartExecution(this.take);
      machine.grantExecution(this.take, 'states:DescribeExecution');
    }
  }
}
