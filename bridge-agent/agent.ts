import { cloudTime } from '#bridge-agent/cloud-time.ts';
import type { AgentConfiguration } from '#bridge-agent/configuration.ts';
import { connect } from '#bridge-agent/connections.ts';
import { runAgentWith } from '#bridge-agent/daemon.ts';
import { examine, type Finding } from '#bridge-agent/doctor.ts';

export interface AgentSignals {
  readonly stop: AbortSignal;
  readonly drain: AbortSignal;
}

/**
 * Runs the agent until `stop` fires (jobs go on without it), or, once `drain` fired, until its work is done. May be
 * killed at any moment: the next start goes on from the journal.
 * @throws {InputError} when the configuration names something unusable, or another agent uses the same journal.
 */
export async function runAgent(configuration: AgentConfiguration, signals: AgentSignals): Promise<void> {
  await runAgentWith(await connect(configuration), configuration, signals.stop, signals.drain);
}

/** Looks at everything that the first job needs (see `examine`), with the real cloud and the real scheduler. */
export async function examineSite(
  configuration: AgentConfiguration,
  onProgress: (finding: Finding) => void,
): Promise<readonly Finding[]> {
  const parts = await connect({ ...configuration, logLevel: 'silent' });
  try {
    return await examine(configuration, { ...parts, cloudTime: () => cloudTime(configuration) }, onProgress);
  } finally {
    await parts.scheduler.close();
  }
}
