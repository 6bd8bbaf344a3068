import {
  DescribeExecutionCommand,
  ExecutionAlreadyExists,
  ExecutionDoesNotExist,
  type ExecutionStatus,
  InvalidToken,
  SendTaskFailureCommand,
  SendTaskSuccessCommand,
  type SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
  TaskDoesNotExist,
  TaskTimedOut,
} from '@aws-sdk/client-sfn';
import type { Started, TaskCallback, Workflow } from '#core/ports.ts';

/** The limit of a `cause`, in characters. */
const CAUSE_CHARACTERS = 32_768;

/** One state machine. */
export class StateMachine implements Workflow {
  readonly #client: SFNClient;
  readonly #arn: string;

  constructor(client: SFNClient, arn: string) {
    this.#client = client;
    this.#arn = arn;
  }

  async start(name: string, input: unknown): Promise<Started> {
    try {
      await this.#client.send(
        new StartExecutionCommand({ stateMachineArn: this.#arn, name, input: JSON.stringify(input) }),
      );
      return 'started';
    } catch (error) {
      if (!(error instanceof ExecutionAlreadyExists)) throw error;
      const status = await this.#status(name);
      return status === 'FAILED' || status === 'TIMED_OUT' || status === 'ABORTED' ? 'endedBadly' : 'alreadyStarted';
    }
  }

  async isRunning(name: string): Promise<boolean> {
    const status = await this.#status(name);
    return status === 'RUNNING' || status === 'PENDING_REDRIVE';
  }

  /** Ends an execution with what it has started; its task tokens are void from then on. One that has ended stays as it is. */
  async stop(name: string, cause: string): Promise<void> {
    const executionArn = this.#executionArn(name);
    try {
      await this.#client.send(
        new StopExecutionCommand({ executionArn, error: 'Stopped', cause: cause.slice(0, CAUSE_CHARACTERS) }),
      );
    } catch (error) {
      if (!(error instanceof ExecutionDoesNotExist)) throw error;
    }
  }

  /** Null when there never was such an execution, or not within the 90 days that they are kept. */
  async #status(name: string): Promise<ExecutionStatus | null> {
    const executionArn = this.#executionArn(name);
    try {
      const { status } = await this.#client.send(new DescribeExecutionCommand({ executionArn }));
      return status ?? null;
    } catch (error) {
      if (error instanceof ExecutionDoesNotExist) return null;
      throw error;
    }
  }

  #executionArn(name: string): string {
    return `${this.#arn.replace(':stateMachine:', ':execution:')}:${name}`;
  }
}

export class StepFunctionsCallback implements TaskCallback {
  readonly #client: SFNClient;

  constructor(client: SFNClient) {
    this.#client = client;
  }

  succeed(taskToken: string, output: unknown): Promise<boolean> {
    return answered(() => this.#client.send(new SendTaskSuccessCommand({ taskToken, output: JSON.stringify(output) })));
  }

  fail(taskToken: string, error: string, cause: string): Promise<boolean> {
    return answered(() =>
      this.#client.send(new SendTaskFailureCommand({ taskToken, error, cause: cause.slice(0, CAUSE_CHARACTERS) })),
    );
  }
}

async function answered(send: () => Promise<unknown>): Promise<boolean> {
  try {
    await send();
    return true;
  } catch (error) {
    if (error instanceof TaskTimedOut || error instanceof TaskDoesNotExist || error instanceof InvalidToken)
      return false;
    throw error;
  }
}
