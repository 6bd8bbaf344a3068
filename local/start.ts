import { parseArgs } from 'node:util';
import { ponteHome, pythonHome } from '#cli/home.ts';
import { reportText } from '#cli/report-text.ts';
import { PonteError } from '#core/errors.ts';
import { DEMO_RELEASE, type DemoResult, runDemo } from '#local/demo.ts';
import { localDown } from '#local/machine.ts';

/**
 * `npm start`: the whole way once, then a summary. Ctrl-C leaves nothing running. `npm start -- --scheduler=local` uses
 * the built-in scheduler also where a Slurm answers.
 */
const { values } = parseArgs({ options: { scheduler: { type: 'string', default: 'auto' } } });
const scheduler = values.scheduler === 'local' ? 'local' : 'auto';
const home = ponteHome();
const started = Date.now();
const log = (line: string) =>
  console.log(`${String(Math.round((Date.now() - started) / 1000)).padStart(4)} s  ${line}`);

let stopping = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    stopping = true;
    log(`${signal}: stopping what runs; npm start goes on from here, npm run reset starts from nothing`);
    localDown({ home, log }).finally(() => process.exit(signal === 'SIGINT' ? 130 : 143));
  });
}

try {
  const result = await runDemo({ home, pythonHome: pythonHome(), log, scheduler });
  console.log(summary(result));
} catch (error) {
  // What fails because everything is being stopped needs no words; the one who stops it ends the process.
  if (stopping) await new Promise<never>(() => {});
  if (error instanceof PonteError) console.error(`error: ${error.message}\n  ${error.hint}`);
  else console.error(error);
  process.exit(1);
}

function summary({ report, intakeSeconds, folder }: DemoResult): string {
  const total = (Date.now() - started) / 1000;
  return [
    '',
    '-'.repeat(100),
    reportText(report),
    `intake, from the first upload to the campaign: ${intakeSeconds.toFixed(1)} s; npm start as a whole: ${total.toFixed(0)} s`,
    '',
    `the delivered table: ${folder}`,
    `open it:             import lsdb; catalogue = lsdb.open_catalog("${folder}")`,
    `look around:         npx ponte chunks ${DEMO_RELEASE}; npx ponte campaign report ${DEMO_RELEASE}; npx ponte deliveries`,
    'it goes on running:  npm run stop ends it, npm run reset forgets it',
  ].join('\n');
}
