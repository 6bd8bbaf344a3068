import type { Command } from 'commander';
import { ponteHome, pythonHome } from '#cli/home.ts';
import { answer, type OutputOptions, progress } from '#cli/output.ts';
import { localDown, localReset, localStatus, localUp } from '#local/machine.ts';

export function localCommand(program: Command): void {
  const local = program.command('local').description('the local cloud and the local site, on this machine only');
  local
    .command('up')
    .description('start the local cloud, deploy the stack to it, start the agent')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte local up')
    .action((options: OutputOptions) =>
      answer(options, async () => {
        const up = await localUp({ home: ponteHome(), pythonHome: pythonHome(), log: progress });
        return {
          json: up,
          text: `the local cloud answers on ${up.url}; the agent runs jobs through ${up.scheduler}`,
          next: 'ponte release register <file>',
        };
      }),
    );
  local
    .command('down')
    .description('stop what runs; everything is kept')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte local down')
    .action((options: OutputOptions) =>
      answer(options, async () => {
        await localDown({ home: ponteHome(), log: progress });
        return {
          json: { stopped: true },
          text: 'nothing of Ponte runs on this machine any more',
          next: 'ponte local up',
        };
      }),
    );
  local
    .command('reset')
    .description('stop what runs and forget everything but the installed packages')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte local reset')
    .action((options: OutputOptions) =>
      answer(options, async () => {
        await localReset({ home: ponteHome(), log: progress });
        return { json: { reset: true }, text: 'the local cloud and the local site are empty', next: 'ponte local up' };
      }),
    );
  local
    .command('status')
    .description('what runs on this machine')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte local status')
    .action((options: OutputOptions) =>
      answer(options, async () => {
        const status = await localStatus({ home: ponteHome() });
        const cloud = status.cloud ? `runs on ${status.cloud.url} (process ${status.cloud.pid})` : 'does not run';
        const agent = status.agent ? `runs (process ${status.agent.pid})` : 'does not run';
        return {
          json: status,
          text: `the local cloud ${cloud}\nthe agent ${agent}`,
          next: status.cloud ? null : 'ponte local up',
        };
      }),
    );
}
