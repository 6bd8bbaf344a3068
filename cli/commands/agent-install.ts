import type { Command } from 'commander';
import { type Installation, install } from '#bridge-agent/install.ts';
import { ROOT } from '#cli/home.ts';
import { answer, type OutputOptions } from '#cli/output.ts';

/** `ponte agent install`: the configuration and the systemd unit of a site. */
export function agentInstallCommand(agent: Command): void {
  agent
    .command('install')
    .description("write a site's configuration and its systemd unit from the site's profile, and say what is missing")
    .requiredOption('--site <name>', 'a profile of bridge-agent/sites')
    .requiredOption('--queue-url <url>', "JobQueueUrl of the stack's outputs")
    .requiredOption('--lake-bucket <name>', "LakeBucket of the stack's outputs")
    .requiredOption('--python <file>', "the RAIL environment's interpreter, as the compute nodes see it")
    .requiredOption('--scratch <folder>', 'shared with the compute nodes')
    .option('--lease-table <name>', "LeaseTable of the stack's outputs; needed where several sites take from the queue")
    .option('--keep <folder>', 'for a site that packs the table itself: where copies of the tables stay (docs/site.md)')
    .option('--journal <file>', 'on a local disk', '/var/lib/ponte/journal.sqlite')
    .option('--region <region>', 'of the stack', 'us-east-1')
    .option('--partition <name>', "instead of the profile's")
    .option('--account <name>', "of Slurm; without it the user's default")
    .option('--user <name>', 'whom the service runs as', 'ponte')
    .option('--program <folder>', 'where the bundle was unpacked, as the compute nodes see it', ROOT)
    .option('--prefix <folder>', 'put before /etc, for a trial', '')
    .option('--replace', 'replace files that have other content')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Example:
  ponte agent install --site apollo --queue-url https://sqs.us-east-1.amazonaws.com/1/jobs --lake-bucket lake \\
    --python /shared/rail/bin/python --scratch /scratch/ponte`,
    )
    .action((options: OutputOptions & Omit<Installation, 'replace'> & { replace?: boolean }) =>
      answer(options, async () => {
        const done = await install({ ...options, replace: options.replace ?? false });
        const lines = [`wrote ${done.configuration}`, `wrote ${done.unit}`];
        const missing = done.missing.map((sentence) => `missing: ${sentence}`);
        const next = `next: ponte agent doctor --config ${done.configuration}`;
        return { json: done, text: [...lines, ...missing, next].join('\n') };
      }),
    );
}
