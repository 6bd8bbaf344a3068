import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMilliseconds } from '#bridge-agent/backoff.ts';
import { causeOf } from '#bridge-agent/cause.ts';
import type { AgentContext } from '#bridge-agent/context.ts';
import { takeIn } from '#bridge-agent/intake.ts';
import { roomFor } from '#bridge-agent/room.ts';

/** How often a full agent looks whether it has room again. */
const FULL_MILLISECONDS = 1000;

/** Takes messages as long as there is room and the agent does not drain; what the site cannot take soon stays in the queue, where it can be seen. */
export async function runIntake(context: AgentContext, onTaken: () => void): Promise<void> {
  const { queue, log } = context;
  const signal = AbortSignal.any([context.signal, context.draining]);
  let failures = 0;
  let said: string | null = null;
  while (!signal.aborted) {
    const room = roomFor(context);
    if (room.why !== said) log.info({ why: room.why }, room.why === null ? 'Intake:Open' : 'Intake:Waiting');
    said = room.why;
    if (room.works === 0) {
      await pause(FULL_MILLISECONDS, signal);
      continue;
    }
    try {
      for (const message of await queue.receive(room.works, signal)) {
        await takeIn(message, context);
        onTaken();
      }
      failures = 0;
    } catch (error) {
      log.warn({ cause: causeOf(error) }, 'Queue:Failed');
      await pause(backoffMilliseconds(failures), signal);
      failures += 1;
    }
  }
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, null, { signal }).catch(() => null);
}
