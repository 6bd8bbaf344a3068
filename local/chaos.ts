import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import type { Chaos } from '#chaos/chaos.ts';

/**
 * `npm run chaos -- NAME [--rounds N] [--seed TEXT] [--from N] [--json]`: breaks what chaos/NAME.ts breaks, so often, and
 * prints what came of it. Progress goes to standard error. Ends with status 1 when something did not hold.
 */
const ROOT = join(import.meta.dirname, '..');
const FOLDER = join(ROOT, 'chaos');
/** Files of the folder that are no campaign. */
const HELPERS = ['chaos', 'intake-cases'];

const chaosSchema = z.custom<Chaos>(
  (value) => typeof value === 'object' && value !== null && 'run' in value && 'summary' in value,
);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    seed: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
    json: { type: 'boolean', default: false },
  },
});
const names = readdirSync(FOLDER)
  .filter((file) => /^[a-z-]+\.ts$/.test(file))
  .map((file) => file.replace(/\.ts$/, ''))
  .filter((found) => !HELPERS.includes(found));
const [name] = positionals;
if (name === undefined || !names.includes(name)) {
  console.error(
    `${name ? `there is no chaos ${name}` : 'which chaos?'}\n  npm run chaos -- NAME [--rounds N] [--json]`,
  );
  for (const known of names) {
    const { summary, rounds, minutes } = await load(known);
    console.error(`  ${known.padEnd(10)} ${summary} (${rounds} rounds: about ${minutes} minutes)`);
  }
  process.exit(2);
}

const chaos = await load(name);
const rounds = wholeNumber('rounds', values.rounds ?? String(chaos.rounds));
const from = wholeNumber('from', values.from);
console.error(`${chaos.summary}; ${rounds} rounds, seed ${values.seed}`);
const folder = await mkdtemp(join(tmpdir(), `ponte-chaos-${name}-`));
const started = Date.now();
const seconds = () => Math.round((Date.now() - started) / 1000);
const clean = () => rm(folder, { recursive: true, force: true });
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    process.exitCode = signal === 'SIGINT' ? 130 : 143;
    interrupted.abort();
  });
}
try {
  const home = process.env.PONTE_PYTHON_HOME ?? process.env.PONTE_HOME ?? join(ROOT, '.ponte');
  const say = (line: string) => console.error(`${String(seconds()).padStart(4)} s  ${line}`);
  const outcome = await chaos.run({ folder, home, rounds, from, seed: values.seed, signal: interrupted.signal, say });
  const { counts, figures, wrong } = outcome;
  if (values.json) {
    console.log(JSON.stringify({ name, rounds, seed: values.seed, seconds: seconds(), ...outcome }));
  } else {
    for (const [what, count] of Object.entries(counts).sort()) console.log(`${String(count).padStart(7)}  ${what}`);
    for (const [what, value] of Object.entries(figures)) console.log(`${what} ${value}`);
    console.log(`${rounds} rounds, seed ${values.seed}, ${seconds()} s; ${wrong.length} wrong`);
    for (const line of wrong) console.log(`  ${line}`);
  }
  process.exitCode = wrong.length > 0 ? 1 : 0;
} catch (error) {
  if (!interrupted.signal.aborted) throw error;
  console.error('interrupted; what it had started is ended');
} finally {
  await clean();
}
// What an interrupted run still waits for is not to be waited for.
if (interrupted.signal.aborted) process.exit();

function wholeNumber(option: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  console.error(`--${option} must be a whole number, not ${text}`);
  process.exit(2);
}

async function load(known: string): Promise<Chaos> {
  const module: unknown = await import(join(FOLDER, `${known}.ts`));
  return z.object({ chaos: chaosSchema }).parse(module).chaos;
}
