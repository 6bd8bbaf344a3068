import type { TaskCallback } from '#core/ports.ts';

/** The agent's way back to the execution that waits for a task token. */
export interface JobCallback extends TaskCallback {
  /** Says that the work lives. False when nobody waits for the token any more, so that the work can be given up. */
  heartbeat(taskToken: string): Promise<boolean>;
}
