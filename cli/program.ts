import { Command } from 'commander';
import { agentCommand } from '#cli/commands/agent.ts';
import { ancillaryCommand } from '#cli/commands/ancillary.ts';
import { archiveCommand } from '#cli/commands/archive.ts';
import { budgetCommand } from '#cli/commands/budget.ts';
import { approveCommand, campaignCommand } from '#cli/commands/campaign.ts';
import { chunksCommand, uploadCommand } from '#cli/commands/chunks.ts';
import { deliverCommand } from '#cli/commands/deliver.ts';
import { deliveriesCommand, redeliverCommand, verifyCommand, withdrawCommand } from '#cli/commands/deliveries.ts';
import { forecastCommand } from '#cli/commands/forecast.ts';
import { localCommand } from '#cli/commands/local.ts';
import { packCommand } from '#cli/commands/pack.ts';
import { explainCommand } from '#cli/commands/plan.ts';
import { quarantineCommand } from '#cli/commands/quarantine.ts';
import { releaseCommand } from '#cli/commands/release.ts';

/** The command `ponte` with all its verbs. */
export function ponteProgram(): Command {
  const program = new Command('ponte')
    .description('Photo-z tables, from an uploaded object catalogue to a federated dataset.')
    .showHelpAfterError('(ponte --help, or ponte <verb> --help, shows examples)')
    .addHelpText('after', '\nEvery verb takes --json. Try: npm start');

  for (const add of [
    localCommand,
    ancillaryCommand,
    releaseCommand,
    uploadCommand,
    chunksCommand,
    quarantineCommand,
    campaignCommand,
    budgetCommand,
    explainCommand,
    forecastCommand,
    approveCommand,
    deliveriesCommand,
    deliverCommand,
    redeliverCommand,
    archiveCommand,
    packCommand,
    verifyCommand,
    withdrawCommand,
    agentCommand,
  ]) {
    add(program);
  }
  return program;
}
