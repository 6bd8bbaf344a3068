import { Duration } from 'aws-cdk-lib';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import {
  Choice,
  Condition,
  type IChainable,
  IntegrationPattern,
  JsonPath,
  Pass,
  TaskInput,
  Timeout,
  Wait,
  WaitTime,
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
  /** Where a failure goes, with `$.failure`; without it the execution fails. */
  readonly onFailure?: IChainable;
}

/**
 * The agent beats every minute while it sees the job alive. A job that no agent has taken yet does not beat, so the
 * clock also runs while it waits in the queue: then it is sent again, and whoever has the first message binds the new
 * token to the same work. 200 times one hour is more than a week of a queue that stands still.
 */
const HEARTBEAT = Duration.hours(1);
const RESENT = 200;
/** How long a job that does not fit waits for other leases to be settled below what they hold. */
const LEASES_MOVE = Duration.seconds(30);
/** Longer than any queue of any partition, shorter than the 90 days of a message nobody takes. */
const LONGEST_JOB = Duration.days(30);

/** What an estimate's order has besides; functions/plan-batches.ts writes all of it. */
const ESTIMATE_ORDER = {
  batchId: JsonPath.stringAt('$.batchId'),
  batch: JsonPath.objectAt('$.batch'),
  priority: JsonPath.objectAt('$.priority'),
};

/**
 * One job at a site: prepare (has it been done? is there budget?), send it with a task token and wait, verify what came
 * back. A new attempt carries a new token; the agent binds it to the work it has, by the work key.
 *
 * In: `{campaign, release, algorithm}` and, for an estimate, `{batchId, batch}`. Out: the same with `answer`.
 */
export function jobChain(scope: Construct, props: JobChainProps): IChainable {
  const { kind, prepare, verify, jobs, onFailure } = props;
  const id = kind.charAt(0).toUpperCase() + kind.slice(1);
  const order = {
    kind,
    campaign: JsonPath.stringAt('$.campaign'),
    release: JsonPath.stringAt('$.release'),
    algorithm: JsonPath.stringAt('$.algorithm'),
    ...(kind === 'estimate' ? ESTIMATE_ORDER : {}),
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
    maxAttempts: RESENT,
    interval: Duration.seconds(10),
    backoffRate: 1,
  });
  // The site could not stage or return for a while, and has said so.
  send.addRetry({ errors: ['TransientError'], maxAttempts: 2, interval: Duration.minutes(5), backoffRate: 2 });

  const verified = lambdaStep(scope, `Verify${id}`, {
    lambdaFunction: verify,
    payload: TaskInput.fromObject({
      order,
      workKey: JsonPath.stringAt('$.prepared.workKey'),
      answer: JsonPath.objectAt('$.answer'),
    }),
    resultPath: JsonPath.DISCARD,
  });
  const prepared = lambdaStep(scope, `Prepare${id}`, {
    lambdaFunction: prepare,
    payload: TaskInput.fromObject(order),
    resultPath: '$.prepared',
  });
  if (onFailure) for (const step of [prepared, send, verified]) step.addCatch(onFailure, { resultPath: '$.failure' });
  const outcome = (name: string) => Condition.stringEquals('$.prepared.outcome', name);
  const decide = new Choice(scope, `Is${id}Done`)
    .when(
      outcome('reuse'),
      new Pass(scope, `Reuse${id}`, { inputPath: '$.prepared.answer', resultPath: '$.answer' }).next(verified),
    )
    .when(outcome('wait'), new Wait(scope, `WaitToFit${id}`, { time: WaitTime.duration(LEASES_MOVE) }).next(prepared));
  // Its campaign pauses after the others; functions/plan-partitions.ts looks.
  if (kind === 'estimate') decide.when(outcome('deferred'), new Pass(scope, `Defer${id}`));
  // Before the ends are looked for, so that the one that waits does not count as one.
  prepared.next(decide.otherwise(send.next(verified)));
  const { endStates } = decide.afterwards();
  return { id: prepared.id, startState: prepared, endStates };
}
