import { Duration } from 'aws-cdk-lib';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import {
  Chain,
  Choice,
  Condition,
  type IChainable,
  IntegrationPattern,
  JsonPath,
  Pass,
  TaskInput,
  Timeout,
} from 'aws-cdk-lib/aws-stepfunctions';
import { SqsSendMessage } from 'aws-cdk-lib/aws-stepfunctions-tasks';
import type { Construct } from 'constructs';
import { type JobMessage, messageFields } from '#core/job.ts';
import { lambdaStep } from '#infra/lambda-step.ts';

export interface JobChainProps {
  readonly kind: JobMessage['kind'];
  readonly prepare: IFunction;
  readonly verify: IFunction;
  readonly jobs: IQueue;
}

/** The agent beats every minute while it sees the job alive; ten missed beats are an outage, not a hiccup. */
const HEARTBEAT = Duration.minutes(10);
/** Longer than any queue of any partition, shorter than the 90 days of a message nobody takes. */
const LONGEST_JOB = Duration.days(30);

/**
 * One job at a site: prepare (has it been done? is there budget?), send it with a task token and wait, verify what came
 * back. A new attempt carries a new token; the agent binds it to the work it has, by the work key.
 *
 * In: `{campaign, release, algorithm}` and, for an estimate, `{batchId, batch}`. Out: the same with `answer`.
 */
export function jobChain(scope: Construct, { kind, prepare, verify, jobs }: JobChainProps): IChainable {
  const id = kind.charAt(0).toUpperCase() + kind.slice(1);
  const order = {
    kind,
    campaign: JsonPath.stringAt('$.campaign'),
    release: JsonPath.stringAt('$.release'),
    algorithm: JsonPath.stringAt('$.algorithm'),
    ...(kind === 'estimate' ? { batchId: JsonPath.stringAt('$.batchId'), batch: JsonPath.objectAt('$.batch') } : {}),
  };
  const fields = messageFields(kind).filter((name) => name !== 'taskToken');
  const message = Object.fromEntries(fields.map((name) => [name, JsonPath.objectAt(`$.prepared.message.${name}`)]));

  const send = new SqsSendMessage(scope, `${id}AtSite`, {
    queue: jobs,
    integrationPattern: IntegrationPattern.WAIT_FOR_TASK_TOKEN,
    messageBody: TaskInput.fromObject({ ...message, taskToken: JsonPath.taskToken }),
    heartbeatTimeout: Timeout.duration(HEARTBEAT),
    taskTimeout: Timeout.duration(LONGEST_JOB),
    resultPath: '$.answer',
  });
  send.addRetry({
    errors: ['States.HeartbeatTimeout'],
    maxAttempts: 2,
    interval: Duration.seconds(10),
    backoffRate: 1,
  });

  const verified = lambdaStep(scope, `Verify${id}`, {
    lambdaFunction: verify,
    payload: TaskInput.fromObject({
      order,
      workKey: JsonPath.stringAt('$.prepared.workKey'),
      answer: JsonPath.objectAt('$.answer'),
    }),
    resultPath: JsonPath.DISCARD,
  });
  return Chain.start(
    lambdaStep(scope, `Prepare${id}`, {
      lambdaFunction: prepare,
      payload: TaskInput.fromObject(order),
      resultPath: '$.prepared',
    }),
  ).next(
    new Choice(scope, `Is${id}Done`)
      .when(
        Condition.booleanEquals('$.prepared.reuse', true),
        new Pass(scope, `Reuse${id}`, { inputPath: '$.prepared.answer', resultPath: '$.answer' }).next(verified),
      )
      .otherwise(send.next(verified))
      .afterwards(),
  );
}
