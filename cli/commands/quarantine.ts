import type { Command } from 'commander';
import { openCloud } from '#cli/context.ts';
import { decideOn, viewQuarantine } from '#cli/operations/quarantine.ts';
import { answer, type OutputOptions, table } from '#cli/output.ts';
import { QUARANTINE_ACTIONS, type QuarantineAction } from '#core/quarantine-book.ts';

const DESCRIPTIONS: Record<QuarantineAction, string> = {
  retry: 'look at a chunk in quarantine again, as it is',
  release: 'use a chunk all the same: the checks that refused it only flag it',
  discard: 'leave a chunk out for good, and off the list',
};

export function quarantineCommand(program: Command): void {
  const quarantine = program.command('quarantine').description('look at refused chunks, and decide on them');
  quarantine
    .command('list')
    .description('list the chunks in quarantine with their reasons, and the decisions so far')
    .argument('<release>')
    .option('--all', 'also those that were discarded')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte quarantine list dc2-demo')
    .action((release: string, options: OutputOptions & { all?: boolean }) =>
      answer(options, async () => {
        const view = await viewQuarantine(await openCloud(), release, { all: options.all ?? false });
        const rows = view.chunks.map((chunk) => [
          chunk.name,
          chunk.chunkId.slice(0, 12),
          chunk.findings.map((finding) => `${finding.code}: ${finding.sentence}`).join('; '),
        ]);
        const audit = view.audit.map((row) => [row.at, row.action, row.name, row.who, row.why]);
        const lines = [
          rows.length > 0 ? table(['name', 'chunk', 'why'], rows) : `nothing is in quarantine of ${release}`,
        ];
        if (audit.length > 0) lines.push('', table(['decided', 'what', 'chunk', 'by', 'because'], audit));
        const [first] = view.chunks;
        const next = first ? `ponte quarantine retry ${release} ${first.name} --why <reason>` : null;
        return { json: { release, ...view }, text: lines.join('\n'), next };
      }),
    );
  for (const action of QUARANTINE_ACTIONS) {
    quarantine
      .command(action)
      .description(DESCRIPTIONS[action])
      .argument('<release>')
      .argument('<chunk>', 'its name, or the first 8 digits or more of its id')
      .requiredOption('--why <reason>', 'kept with the decision, your identity and the time')
      .option('--json', 'print one JSON object')
      .addHelpText(
        'after',
        `\nExample:\n  ponte quarantine ${action} dc2-demo tract-3828.parquet --why "agreed with the survey"`,
      )
      .action((release: string, chunk: string, options: OutputOptions & { why: string }) =>
        answer(options, async () => {
          const audit = await decideOn(await openCloud(), { release, chunk, action, why: options.why });
          return {
            json: { release, audit },
            text: `${audit.name}: ${action}, by ${audit.who}`,
            next: action === 'discard' ? `ponte quarantine list ${release}` : `ponte chunks ${release}`,
          };
        }),
      );
  }
}
