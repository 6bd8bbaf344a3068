import {
  InvalidToken,
  SendTaskHeartbeatCommand,
  type SFNClient,
  TaskDoesNotExist,
  TaskTimedOut,
} from '@aws-sdk/client-sfn';
import { StepFunctionsCallback } from '#adapters/step-functions.ts';
import type { JobCallback } from '#core/callback.ts';
import type { JobAnswer } from '#core/job.ts';

/** Task tokens of Step Functions, with heartbeats. */
export class SfnJobCallback implements JobCallback {
  readonly #client: SFNClient;
  readonly #answers: StepFunctionsCallback;

  constructor(client: SFNClient) {
    this.#client = client;
    this.#answers = new StepFunctionsCallback(client);
  }

  succeed(taskToken: string, answer: JobAnswer): Promise<boolean> {
    return this.#answers.succeed(taskToken, answer);
  }

  fail(taskToken: string, error: string, cause: string): Promise<boolean> {
    return this.#answers.fail(taskToken, error, cause);
  }

  async heartbeat(taskToken: string): Promise<boolean> {
    try {
      await this.#client.send(new SendTaskHeartbeatCommand({ taskToken }));
      return true;
    } catch (error) {
      if (error instanceof TaskTimedOut || error instanceof TaskDoesNotExist || error instanceof InvalidToken) {
        return false;
      }
      throw error;
    }
  }
}
