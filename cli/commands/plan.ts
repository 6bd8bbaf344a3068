import { open } from 'node:fs/promises';
import type { Command } from 'commander';
import { openCloud } from '#cli/context.ts';
import { type CampaignPlan, campaignPlan } from '#cli/operations/campaign-plan.ts';
import { explain } from '#cli/operations/explain.ts';
import { answer, type OutputOptions, progress, table } from '#cli/output.ts';
import type { PlannedUnit } from '#core/plan/plan.ts';
import type { Interval } from '#core/plan/statistics.ts';

interface ComparedOptions extends OutputOptions {
  readonly whatIf?: string;
  readonly against?: string;
}

const compared = ({ whatIf, against }: ComparedOptions) => ({
  ...(whatIf === undefined ? {} : { whatIf }),
  ...(against === undefined ? {} : { against }),
});

export function planCommand(campaign: Command): void {
  campaign
    .command('plan')
    .description('what a campaign would reuse and run, why, and what that costs; starts nothing')
    .argument('<release>')
    .option('--what-if <registration>', 'try this registration file out on the chunks of the release')
    .option('--against <release>', 'compare with another release: say which fields differ')
    .option('--file <path>', 'write every unit there, one JSON object a line')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte campaign plan dc2-demo --what-if changed.json')
    .action((release: string, options: ComparedOptions & { file?: string }) =>
      answer(options, async () => {
        const cloud = await openCloud();
        progress(`planning ${release} ...`);
        const file = options.file === undefined ? null : await open(options.file, 'w');
        try {
          const onUnit = async (unit: PlannedUnit) => void (await file?.write(`${JSON.stringify(unit)}\n`));
          const plan = await campaignPlan(cloud, { release, ...compared(options), onUnit });
          return { json: plan, text: planText(plan), next: `ponte campaign start ${release}` };
        } finally {
          await file?.close();
        }
      }),
    );
}

export function explainCommand(program: Command): void {
  program
    .command('explain')
    .description('why a chunk, a part, a model, a batch or a partition would be reused, run or blocked, field by field')
    .argument('<release>')
    .argument(
      '<unit>',
      'a name as `ponte campaign plan --file` writes it; a part as <chunk>#<index>, a partition as <order>/<pixel>',
    )
    .option('--what-if <registration>', 'try this registration file out on the chunks of the release')
    .option('--against <release>', 'compare with another release')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte explain dc2-demo dc2-demo-01.parquet --what-if changed.json')
    .action((release: string, name: string, options: ComparedOptions) =>
      answer(options, async () => {
        const cloud = await openCloud();
        const explained = await explain(cloud, name, { release, ...compared(options) });
        const text = [...(explained.about ? [explained.about] : []), ...explained.units.map(unitText)].join('\n');
        return { json: explained, text };
      }),
    );
}

function unitText({ kind, name, algorithm, verdict, reason, changes }: PlannedUnit): string {
  const rows = changes.map(({ field, before, now }) => [field, before ?? '(none)', now ?? '(none)']);
  return [
    `${kind} ${name}${algorithm && algorithm !== name ? ` of ${algorithm}` : ''}: ${verdict}${reason ? `, ${reason}` : ''}`,
    ...(rows.length > 0 ? [table(['field', 'before', 'now'], rows)] : []),
  ].join('\n');
}

function planText({ campaign, comparedWith, lines, estimates, degrade }: CampaignPlan): string {
  return [
    `${campaign}${comparedWith ? `, compared with ${comparedWith}` : ''}`,
    table(
      ['what', 'algorithm', 'verdict', 'units', 'rows', 'because'],
      lines.map((line) => [line.kind, line.algorithm ?? '', line.verdict, line.units, line.rows, line.because]),
    ),
    '',
    estimates.length === 0
      ? 'nothing is to be computed at a site'
      : table(
          ['stage', 'algorithm', 'core-hours', 'USD', 'GB out', 'basis'],
          estimates.map(({ kind, algorithm, basis, samples, coreSeconds, microUsd, egressBytes }) => [
            kind,
            algorithm,
            interval(coreSeconds, 3600),
            (microUsd.mean / 1e6).toFixed(4),
            (egressBytes.mean / 1e9).toFixed(3),
            basis === 'ASSUMED' ? basis : `${basis} (${samples} jobs)`,
          ]),
        ),
    ...(degrade.length > 0 ? ['', degradeText(degrade)] : []),
  ].join('\n');
}

const degradeText = (steps: CampaignPlan['degrade']) =>
  table(
    ['from this share of a cap on', 'it does', 'core-hours of the estimates that it still starts'],
    steps.map(({ step, fromShare, coreSeconds }) => [`${100 * fromShare} %`, step, (coreSeconds / 3600).toFixed(3)]),
  );

/** `1.20 (0.90 to 1.50)`, at 95 %. */
function interval({ mean, low, high }: Interval, per: number): string {
  const text = (value: number) => (value / per).toFixed(3);
  return `${text(mean)} (${text(low)} to ${text(high)})`;
}
