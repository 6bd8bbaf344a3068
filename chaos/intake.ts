import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import type { Chaos, ChaosOutcome, ChaosRun } from '#chaos/chaos.ts';

/** A case that takes longer hangs. */
const PATIENCE_MS = 30_000;

const resultSchema = z.object({
  number: z.int(),
  mutation: z.string(),
  known: z.string(),
  unknown: z.string(),
  vouched: z.string(),
  milliseconds: z.number(),
  wrong: z.array(z.string()),
});

/** A child process works through the cases; its crash or hang is a result, and the next child goes on after it. */
export const chaos: Chaos = {
  summary:
    'damages object catalogues: each is refused with a code or means what the sound one means; no crash, no hang',
  rounds: 10_000,
  minutes: 20,
  run: watch,
};

async function watch({ folder, rounds, from, seed, signal, say }: ChaosRun): Promise<ChaosOutcome> {
  const counts: Record<string, number> = {};
  const wrong: string[] = [];
  let [next, slowest] = [from, 0];
  const end = from + rounds;
  while (next < end) {
    const script = join(import.meta.dirname, 'intake-cases.ts');
    const child = spawn(process.execPath, [script, join(folder, String(next)), seed, String(next), String(end)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const stop = () => child.kill('SIGKILL');
    signal.addEventListener('abort', stop, { once: true });
    const ended = new Promise<string>((resolve) => {
      child.on('exit', (status, killedBy) => resolve(`status ${status}, signal ${killedBy}`));
    });
    let patience = setTimeout(() => child.kill('SIGKILL'), 4 * PATIENCE_MS);
    for await (const line of createInterface({ input: child.stdout })) {
      clearTimeout(patience);
      patience = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
      const result = resultSchema.parse(JSON.parse(line));
      next = result.number + 1;
      slowest = Math.max(slowest, result.milliseconds);
      const outcome = `${result.mutation}; published: ${result.known}; unknown: ${result.unknown}; vouched for: ${result.vouched}`;
      counts[outcome] = (counts[outcome] ?? 0) + 1;
      for (const what of result.wrong) wrong.push(`case ${result.number} (${result.mutation}): ${what}`);
      if (next % 500 === 0) say(`${next - from} of ${rounds} cases, ${wrong.length} wrong`);
    }
    clearTimeout(patience);
    const how = await ended;
    signal.removeEventListener('abort', stop);
    signal.throwIfAborted();
    if (next >= end) break;
    wrong.push(`case ${next}: crashed or hung (${how})`);
    next += 1;
  }
  return { counts, figures: { slowestMilliseconds: slowest }, wrong };
}
