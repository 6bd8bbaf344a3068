import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { run } from '#local/process.ts';

const usageSchema = z.strictObject({
  wallSeconds: z.number(),
  userSeconds: z.number(),
  systemSeconds: z.number(),
  peakBytes: z.number(),
});
type Usage = z.infer<typeof usageSchema> & { readonly cpuSeconds: number };

export interface Command {
  readonly argv: readonly [string, ...string[]];
  readonly env?: NodeJS.ProcessEnv;
}

const MEASURE = join(import.meta.dirname, 'measure.py');

/**
 * One run of a command as a whole process: what the operating system says it used, its children included.
 * @throws {CommandFailed} when it ends with another status than 0.
 */
export async function measure(command: Command): Promise<Usage> {
  const folder = await mkdtemp(join(tmpdir(), 'ponte-measure-'));
  try {
    const report = join(folder, 'usage.json');
    await run(['python3', MEASURE, report, ...command.argv], { env: command.env ?? process.env });
    const usage = usageSchema.parse(JSON.parse(await readFile(report, 'utf8')));
    return { ...usage, cpuSeconds: usage.userSeconds + usage.systemSeconds };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Runs the commands in turn, A B C A B C ..., one unmeasured round first, so that a machine whose speed drifts drifts
 * for all of them. Answers the usages of a command in the order of the rounds.
 */
export async function inTurn<Name extends string>(
  commands: Readonly<Record<Name, Command>>,
  rounds: number,
  say: (line: string) => void,
): Promise<(name: Name) => readonly Usage[]> {
  const usages = new Map<string, Usage[]>();
  for (let round = 0; round <= rounds; round += 1) {
    for (const [name, command] of Object.entries<Command>(commands)) {
      const usage = await measure(command);
      const label = round === 0 ? 'warm-up' : `round ${round} of ${rounds}`;
      say(`${label}: ${name} ${usage.cpuSeconds.toFixed(2)} s of CPU, ${usage.wallSeconds.toFixed(2)} s`);
      if (round > 0) usages.set(name, [...(usages.get(name) ?? []), usage]);
    }
  }
  return (name) => usages.get(name) ?? [];
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Median of the ratios a/b, round by round: each pair met the machine in the same mood. */
export function medianRatio(a: readonly number[], b: readonly number[]): number {
  return median(a.map((value, round) => value / (b[round] ?? Number.NaN)));
}
