import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import type { JobQueue, QueuedMessage } from '#core/job-queue.ts';

/** SQS's longest long poll. */
const WAIT_SECONDS = 20;

/** SQS gives at most ten messages at a time. */
const BATCH = 10;

export class SqsJobQueue implements JobQueue {
  readonly #client: SQSClient;
  readonly #url: string;

  constructor(client: SQSClient, url: string) {
    this.#client = client;
    this.#url = url;
  }

  async receive(maximum: number, signal: AbortSignal): Promise<readonly QueuedMessage[]> {
    const command = new ReceiveMessageCommand({
      QueueUrl: this.#url,
      MaxNumberOfMessages: Math.min(maximum, BATCH),
      WaitTimeSeconds: WAIT_SECONDS,
    });
    try {
      const { Messages = [] } = await this.#client.send(command, { abortSignal: signal });
      return Messages.flatMap(({ Body, ReceiptHandle }) =>
        Body === undefined || ReceiptHandle === undefined ? [] : [{ body: Body, receipt: ReceiptHandle }],
      );
    } catch (error) {
      if (signal.aborted) return [];
      throw error;
    }
  }

  async waiting(): Promise<number> {
    const AttributeNames = ['ApproximateNumberOfMessages' as const];
    const { Attributes } = await this.#client.send(
      new GetQueueAttributesCommand({ QueueUrl: this.#url, AttributeNames }),
    );
    return Number(Attributes?.ApproximateNumberOfMessages ?? 0);
  }

  async giveBack({ receipt }: QueuedMessage, seconds: number): Promise<void> {
    const change = { QueueUrl: this.#url, ReceiptHandle: receipt, VisibilityTimeout: seconds };
    await this.#client.send(new ChangeMessageVisibilityCommand(change));
  }

  async remove(message: QueuedMessage): Promise<void> {
    await this.#client.send(new DeleteMessageCommand({ QueueUrl: this.#url, ReceiptHandle: message.receipt }));
  }
}
