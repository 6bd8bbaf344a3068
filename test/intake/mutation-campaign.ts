/**
 * The long form of the mutation campaign: `node test/intake/mutation-campaign.ts [cases] [seed] [from]`.
 *
 * Runs the cases in a child process and watches it: a crash or a hang is a result, and the next child goes on after it.
 * Ends with status 1 if anything was wrong; prints what came to what.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { MutationCampaign } from '#test/intake/mutations.ts';

/** A case that takes longer hangs. */
const PATIENCE_MS = 30_000;

const resultSchema = z.object({
  number: z.int(),
  mutation: z.string(),
  known: z.string(),
  unknown: z.string(),
  milliseconds: z.number(),
  wrong: z.array(z.string()),
});

const [mode = '10000', seed = '1', from = '0'] = process.argv.slice(2);
if (mode === 'child') await runCases(seed, Number(from), Number(process.argv[5]));
else process.exitCode = await watch(Number(mode), seed, Number(from));

async function runCases(seed: string, first: number, end: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'ponte-mutations-'));
  try {
    const campaign = await MutationCampaign.open(folder);
    for (let number = first; number < end; number += 1) {
      process.stdout.write(`${JSON.stringify(await campaign.run(seed, number))}\n`);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function watch(cases: number, seed: string, first: number): Promise<number> {
  const outcomes = new Map<string, number>();
  const wrong: string[] = [];
  let [next, slowest] = [first, 0];
  const end = first + cases;
  while (next < end) {
    const child = spawn(process.execPath, [fileURLToPath(import.meta.url), 'child', seed, String(next), String(end)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = new Promise<string>((resolve) => {
      child.on('exit', (status, signal) => resolve(`status ${status}, signal ${signal}`));
    });
    let patience = setTimeout(() => child.kill('SIGKILL'), 4 * PATIENCE_MS);
    for await (const line of createInterface({ input: child.stdout })) {
      clearTimeout(patience);
      patience = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
      const result = resultSchema.parse(JSON.parse(line));
      next = result.number + 1;
      slowest = Math.max(slowest, result.milliseconds);
      const outcome = `${result.mutation.padEnd(34)} published: ${result.known.padEnd(20)} unknown: ${result.unknown}`;
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      for (const what of result.wrong) wrong.push(`case ${result.number} (${result.mutation}): ${what}`);
      if (next % 500 === 0) process.stderr.write(`${next} cases, ${wrong.length} wrong\n`);
    }
    clearTimeout(patience);
    const how = await ended;
    if (next >= end) break;
    wrong.push(`case ${next}: crashed or hung (${how})`);
    next += 1;
  }
  for (const [outcome, count] of [...outcomes].sort())
    process.stdout.write(`${String(count).padStart(6)}  ${outcome}\n`);
  process.stdout.write(`${cases} cases, seed ${seed}; the slowest took ${slowest} ms; ${wrong.length} wrong\n`);
  for (const line of wrong) process.stdout.write(`  ${line}\n`);
  return wrong.length > 0 ? 1 : 0;
}
