/** A message as it lies in the queue. `body` is untrusted text until the schema has read it. */
export interface QueuedMessage {
  readonly body: string;
  /** For `remove`; another delivery of the same message has another one. */
  readonly receipt: string;
}

/** The queue that the cloud puts jobs on; at least once, in no order. */
export interface JobQueue {
  /** Waits for messages (long poll); empty when none came or the signal fired. */
  receive(maximum: number, signal: AbortSignal): Promise<readonly QueuedMessage[]>;
  remove(message: QueuedMessage): Promise<void>;
  /** Nobody gets it before `seconds` are over, then anybody may. */
  giveBack(message: QueuedMessage, seconds: number): Promise<void>;
  /** About how many wait; takes none. */
  waiting(): Promise<number>;
}
