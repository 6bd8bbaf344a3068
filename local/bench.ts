import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { Bench, Figure } from '#bench/bench.ts';

/**
 * `npm run bench -- NAME [--json] [OPTION ...]`: measures, side by side in one run, what bench/NAME.ts compares. Figures
 * go to standard output, progress to standard error.
 */
const ROOT = join(import.meta.dirname, '..');
const FOLDER = join(ROOT, 'bench');
/** Files of the folder that are no bench. */
const HELPERS = ['bench', 'paired'];

const benchSchema = z.custom<Bench>(
  (value) => typeof value === 'object' && value !== null && 'run' in value && 'summary' in value,
);

const [name, ...rest] = process.argv.slice(2);
const json = rest.includes('--json');
const options = rest.filter((option) => option !== '--json');
const names = readdirSync(FOLDER)
  .filter((file) => /^[a-z-]+\.ts$/.test(file))
  .map((file) => file.replace(/\.ts$/, ''))
  .filter((found) => !HELPERS.includes(found));

if (name === undefined || !names.includes(name)) {
  console.error(`${name ? `there is no bench ${name}` : 'which bench?'}\n  npm run bench -- NAME [--json]`);
  for (const known of names) {
    const { summary, minutes } = await load(known);
    console.error(`  ${known.padEnd(10)} ${summary} (about ${minutes} minutes)`);
  }
  process.exit(2);
}

const bench = await load(name);
console.error(`${bench.summary}; about ${bench.minutes} minutes on 2 cores`);
const folder = await mkdtemp(join(tmpdir(), `ponte-bench-${name}-`));
const started = Date.now();
const seconds = () => ((Date.now() - started) / 1000).toFixed(0).padStart(4);
const clean = () => rm(folder, { recursive: true, force: true });
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void clean().finally(() => process.exit(signal === 'SIGINT' ? 130 : 143)));
}
try {
  const home = process.env.PONTE_PYTHON_HOME ?? process.env.PONTE_HOME ?? join(ROOT, '.ponte');
  await bench.run({ folder, home, options, say: (line) => console.error(`${seconds()} s  ${line}`), figure: print });
} finally {
  await clean();
}

function print(figure: Figure): void {
  if (json) {
    console.log(JSON.stringify(figure));
    return;
  }
  const reached = (aim: number) => (figure.better === 'lower' ? figure.value <= aim : figure.value >= aim);
  const aim =
    figure.aim === null
      ? ''
      : `   aim ${figure.better === 'lower' ? '<=' : '>='} ${figure.aim}: ${reached(figure.aim) ? 'reached' : 'NOT reached'}`;
  console.log(`${figure.name.padEnd(40)} ${Number(figure.value.toPrecision(4))} ${figure.unit}${aim}`);
}

async function load(known: string): Promise<Bench> {
  const path = join(FOLDER, `${known}.ts`);
  if (!existsSync(path)) throw new Error(`${path} is missing`);
  const module: unknown = await import(path);
  return z.object({ bench: benchSchema }).parse(module).bench;
}
