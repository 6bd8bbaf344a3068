import type { AgentConfiguration } from '#bridge-agent/configuration.ts';

/** What the cloud's service says in the Date header of any answer, a refusal included; exact to a second. */
export async function cloudTime({ queueUrl, endpoint }: AgentConfiguration): Promise<Date> {
  const answer = await fetch(endpoint ?? new URL(queueUrl).origin, { signal: AbortSignal.timeout(20_000) });
  const date = answer.headers.get('date');
  if (date === null) throw new Error(`${answer.url} does not say what time it is`);
  return new Date(date);
}
