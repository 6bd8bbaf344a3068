import type { AgentConfiguration } from '#bridge-agent/configuration.ts';
import { connect } from '#bridge-agent/connections.ts';
import { runAgentWith } from '#bridge-agent/daemon.ts';

/**
 * Runs the agent until the signal fires (jobs go on without it), or, with `drain`, until its work is done. May be
 * killed at any moment: the next start goes on from the journal.
 * @throws {InputError} when the configuration names something unusable, or another agent uses the same journal.
 */
export async function runAgent(configuration: AgentConfiguration, signal: AbortSignal): Promise<void> {
  await runAgentWith(await connect(configuration), configuration, signal);
}
