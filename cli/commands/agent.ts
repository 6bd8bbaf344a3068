import type { Command } from 'commander';
import { examineSite, runAgent } from '#bridge-agent/agent.ts';
import { readAgentConfiguration } from '#bridge-agent/configuration.ts';
import { drainAgent } from '#bridge-agent/drain.ts';
import { profiles, profileText, readMeasurements } from '#bridge-agent/profile.ts';
import { agentInstallCommand } from '#cli/commands/agent-install.ts';
import { answer, type OutputOptions, progress } from '#cli/output.ts';

export function agentCommand(program: Command): void {
  const agent = program.command('agent').description('the bridge agent of a site');
  agentInstallCommand(agent);
  agent
    .command('run')
    .description(
      'take jobs from the cloud and run them on this site; SIGTERM drains it, a second one or Ctrl-C stops it',
    )
    .requiredOption('--config <file>', "the site's configuration (docs/site.md)")
    .option('--drain', 'take no more jobs, finish what was taken, then stop')
    .option('--json', 'print one JSON object at the end')
    .addHelpText('after', '\nExample:\n  ponte agent run --config /etc/ponte/apollo.json')
    .action((options: OutputOptions & { config: string; drain?: boolean }) =>
      answer(options, async () => {
        const configuration = await readAgentConfiguration(options.config);
        const [stop, drain] = [new AbortController(), new AbortController()];
        // Ctrl-C stops at once, and so does whatever follows a first SIGTERM; the jobs run on.
        process.on('SIGINT', () => stop.abort());
        process.on('SIGTERM', () => (drain.signal.aborted ? stop.abort() : drain.abort()));
        const signals = { stop: stop.signal, drain: drain.signal };
        await runAgent({ ...configuration, drain: options.drain ?? configuration.drain }, signals);
        return {
          json: { site: configuration.site, stopped: true },
          text: `the agent of ${configuration.site} has stopped`,
        };
      }),
    );
  agent
    .command('doctor')
    .description('check everything that this site needs before its first job, and say how to mend what is not well')
    .requiredOption('--config <file>', "the site's configuration (docs/site.md)")
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte agent doctor --config /etc/ponte/apollo.json')
    .action((options: OutputOptions & { config: string }) =>
      answer(options, async () => {
        const configuration = await readAgentConfiguration(options.config);
        const findings = await examineSite(configuration, ({ name, ok }) =>
          progress(`${ok ? 'ok   ' : 'WRONG'} ${name}`),
        );
        const wrong = findings.filter(({ ok }) => !ok);
        const lines = findings.map(({ name, ok, said }) => `${ok ? 'ok   ' : 'WRONG'} ${name.padEnd(17)} ${said}`);
        const mend = wrong.map((finding) => `to mend ${finding.name}: ${finding.mend}`);
        return {
          json: { site: configuration.site, well: wrong.length === 0, findings },
          text: [...lines, ...mend].join('\n'),
          failed: wrong.length > 0,
        };
      }),
    );
  agent
    .command('drain')
    .description('have the agent that runs take no more jobs, finish what it took, then stop; waits until it has')
    .requiredOption('--config <file>', "the site's configuration (docs/site.md)")
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte agent drain --config /etc/ponte/apollo.json')
    .action((options: OutputOptions & { config: string }) =>
      answer(options, async () => {
        const configuration = await readAgentConfiguration(options.config);
        const { site } = configuration;
        const ran = await drainAgent(configuration, (open) => progress(`${open} works are open`));
        const text = ran ? `the agent of ${site} has finished and stopped` : `no agent of ${site} runs on this host`;
        return { json: { site, drained: ran }, text };
      }),
    );
  agent
    .command('profile')
    .description('what the tasks of a campaign took at this site: rows per second, seconds by phase, memory, bytes')
    .argument('<campaign>', 'its name')
    .requiredOption('--config <file>', "the site's configuration (docs/site.md)")
    .option('--parts', 'with --json: every attempt of every part too')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte agent profile dp1-bpz --config /etc/ponte/apollo.json')
    .action((campaign: string, options: OutputOptions & { config: string; parts?: boolean }) =>
      answer(options, async () => {
        const rows = readMeasurements(await readAgentConfiguration(options.config), campaign);
        const json = { campaign, profiles: profiles(rows), ...(options.parts ? { attempts: rows } : {}) };
        return { json, text: profileText(rows) };
      }),
    );
}
