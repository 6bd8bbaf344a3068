import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Journal } from '#adapters/journal.ts';
import type { AgentConfiguration } from '#bridge-agent/configuration.ts';
import { InputError } from '#core/errors.ts';

/** How often a running agent looks for the request, and the one who asked for its end; seconds. */
const LOOK_SECONDS = 1;

/** Beside the journal, so that only who may write there can ask. */
const requestPath = ({ journal }: Pick<AgentConfiguration, 'journal'>) => `${journal}.drain`;

/** Fires `onRequest` once somebody has asked the agent with this journal to drain; what was asked of an earlier agent counts not. */
export class DrainRequest {
  readonly #path: string;
  readonly #timer: NodeJS.Timeout;

  constructor(configuration: AgentConfiguration, onRequest: () => void) {
    this.#path = requestPath(configuration);
    rmSync(this.#path, { force: true });
    this.#timer = setInterval(() => {
      if (existsSync(this.#path)) onRequest();
    }, LOOK_SECONDS * 1000);
  }

  /** Also tells the one who waits that the agent has ended. */
  close(): void {
    clearInterval(this.#timer);
    rmSync(this.#path, { force: true });
  }
}

/** Whether an agent holds the journal at this moment. */
function agentRuns({ journal }: AgentConfiguration): boolean {
  if (!existsSync(journal)) return false;
  try {
    new Journal({ path: journal, clock: { now: () => new Date() } }).close();
    return false;
  } catch (error) {
    if (error instanceof InputError && error.code === 'JOURNAL_LOCKED') return true;
    throw error;
  }
}

/**
 * Asks the agent of this configuration to take nothing more, finish what it took and stop, and waits until it has.
 * `onProgress` hears the number of open works whenever it changes. Returns false when no agent runs.
 */
export async function drainAgent(
  configuration: AgentConfiguration,
  onProgress: (openWorks: number) => void,
): Promise<boolean> {
  if (!agentRuns(configuration)) return false;
  writeFileSync(requestPath(configuration), '');
  let said = -1;
  while (agentRuns(configuration)) {
    const open = Journal.read(configuration.journal, (journal) => journal.openWorks().length);
    if (open !== said) onProgress(open);
    said = open;
    await sleep(LOOK_SECONDS * 1000);
  }
  return true;
}
