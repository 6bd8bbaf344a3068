import { ArnFormat, Duration, Stack } from 'aws-cdk-lib';
import type { Table } from 'aws-cdk-lib/aws-dynamodb';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import {
  Choice,
  Condition,
  DefinitionBody,
  Fail,
  JsonPath,
  StateMachine,
  Succeed,
  TaskInput,
} from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { ROLE_PREFIX, SECRET_PREFIX } from '#core/further-destination.ts';
import { allowRead } from '#infra/bucket-access.ts';
import type { FunctionCode } from '#infra/code.ts';
import { lambdaStep } from '#infra/lambda-step.ts';
import { machineLogs } from '#infra/machine-logs.ts';
import { PonteFunction } from '#infra/ponte-function.ts';
import type { Storage } from '#infra/storage.ts';

export interface FurtherDeliveryProps {
  readonly code: FunctionCode;
  readonly storage: Storage;
  readonly table: Table;
}

/** Over at most 2 + 4 + ... + 512 + 3 x 900 seconds, a little over an hour: a service elsewhere may be down that long. */
const RETRIES = 12;

/**
 * A table's way to one destination beside the stack's own bucket: one execution each, so that none waits for another. It
 * calls its function again until the table is public there.
 */
export class FurtherDelivery extends Construct {
  readonly machine: StateMachine;

  constructor(scope: Construct, id: string, { code, storage, table }: FurtherDeliveryProps) {
    super(scope, id);
    const environment = { TABLE: table.tableName, LAKE_BUCKET: storage.lake.bucketName };
    const timeout = Duration.minutes(15);
    const deliver = new PonteFunction(this, 'Deliver', {
      ...{ code, environment, timeout },
      name: 'deliver-further',
      // 8 parts of 16 MiB on their way, and what the SDK holds of them.
      memoryMb: 1024,
    });
    const fail = new PonteFunction(this, 'Fail', { code, environment, name: 'fail-delivery' });
    for (const each of [deliver, fail]) table.grantReadWriteData(each);
    allowRead(deliver, storage.lake, 'catalogues/*');
    deliver.addToRolePolicy(
      new PolicyStatement({
        actions: ['secretsmanager:GetSecretValue'],
        resources: [
          Stack.of(this).formatArn({
            service: 'secretsmanager',
            resource: 'secret',
            resourceName: `${SECRET_PREFIX}*`,
            arnFormat: ArnFormat.COLON_RESOURCE_NAME,
          }),
        ],
      }),
    );
    deliver.addToRolePolicy(
      new PolicyStatement({
        actions: ['sts:AssumeRole'],
        resources: [`arn:${Stack.of(this).partition}:iam::*:role/${ROLE_PREFIX}*`],
      }),
    );

    const step = lambdaStep(this, 'DeliverFurther', { lambdaFunction: deliver, retries: RETRIES });
    const record = lambdaStep(this, 'RecordDeliveryFailure', {
      lambdaFunction: fail,
      payload: TaskInput.fromObject({
        delivery: JsonPath.stringAt('$.delivery'),
        destination: JsonPath.stringAt('$.destination'),
        error: JsonPath.stringAt('$.failure.Error'),
        cause: JsonPath.stringAt('$.failure.Cause'),
      }),
    }).next(new Fail(this, 'DeliveryFailed', { error: 'DeliveryFailed', cause: 'ponte deliveries shows the reason' }));
    step.addCatch(record, { resultPath: '$.failure' });
    const finished = new Choice(this, 'IsPublicThere')
      .when(Condition.booleanEquals('$.finished', true), new Succeed(this, 'PublicThere'))
      .otherwise(step);
    this.machine = new StateMachine(this, 'Machine', {
      comment: 'A delivery to one further destination',
      definitionBody: DefinitionBody.fromChainable(step.next(finished)),
      logs: machineLogs(this, 'MachineLogs'),
    });
  }
}
