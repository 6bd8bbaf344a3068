import { z } from 'zod';

/** What became of an execution. */
export interface Outcome {
  readonly arn: string;
  readonly status: string;
  readonly error: string | undefined;
  readonly cause: string | undefined;
  readonly output: unknown;
}

/** A machine of one state. */
export function single(state: object, top: object = {}): object {
  return { ...top, StartAt: 'Only', States: { Only: { End: true, ...state } } };
}

/** A Task that sends its token to a queue and waits for the answer. */
export function waiting(queueUrl: string, more: object = {}): object {
  return {
    Type: 'Task',
    Resource: 'arn:aws:states:::sqs:sendMessage.waitForTaskToken',
    Parameters: { QueueUrl: queueUrl, MessageBody: { 'token.$': '$$.Task.Token' } },
    End: true,
    ...more,
  };
}

/** A Task that invokes a function with the state's input and returns its answer. */
export function invoking(name: string, more: object = {}): object {
  return {
    Type: 'Task',
    Resource: 'arn:aws:states:::lambda:invoke',
    Parameters: { FunctionName: name, 'Payload.$': '$' },
    OutputPath: '$.Payload',
    End: true,
    ...more,
  };
}

const tokenMessage = z.object({ token: z.string() });

export function tokenOf(message: string | undefined): string {
  return tokenMessage.parse(JSON.parse(message ?? 'null')).token;
}
