import { Command } from 'commander';
import { agentCommand } from '#cli/commands/agent.ts';

// What the bundle for a site runs: `ponte agent` alone, since nothing else of Ponte is needed there.
const program = new Command('ponte')
  .description('The bridge agent of Ponte.')
  .showHelpAfterError('(ponte agent --help, or ponte agent <verb> --help, shows examples)');
agentCommand(program);
await program.parseAsync();
