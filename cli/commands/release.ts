import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { openCloud } from '#cli/context.ts';
import { registerKeyNumbers } from '#cli/operations/key-numbers.ts';
import { viewRelease } from '#cli/operations/look.ts';
import { registerRelease } from '#cli/operations/register-release.ts';
import { keepHeadline, releaseReport } from '#cli/operations/release-report.ts';
import { answer, type OutputOptions, progress } from '#cli/output.ts';
import type { Headline } from '#core/headline.ts';
import { releasePage } from '#core/report/release-page.ts';

export function releaseCommand(program: Command): void {
  const release = program.command('release').description('register and look at data releases');
  release
    .command('register')
    .description('register a release: its profile, recipe, training set and campaign')
    .argument('<file>', 'the registration, a JSON file; paths in it start at its folder')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte release register dc2-demo/registration.json')
    .action((file: string, options: OutputOptions) =>
      answer(options, async () => {
        const registered = await registerRelease(await openCloud(), file);
        if (registered.warning) progress(`warning: ${registered.warning}`);
        return {
          json: registered,
          text: `release ${registered.release}: ${registered.outcome}`,
          next: `ponte upload ${registered.release} <folder with the chunks and manifest.json>`,
        };
      }),
    );
  release
    .command('show')
    .description('show how far a release is')
    .argument('<release>')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte release show dc2-demo')
    .action((name: string, options: OutputOptions) =>
      answer(options, async () => {
        const view = await viewRelease(await openCloud(), name);
        const { release, manifestProblem, campaigns } = view;
        const lines = [
          `${release.release}: ${release.spec.title}`,
          `  profile ${release.spec.profile.name}, recipe ${release.spec.recipe.name}, algorithms ${release.spec.campaign.algorithms.join(', ')}`,
          `  registered ${release.registeredAt} by ${release.registeredBy}`,
          `  manifest ${release.manifestState}; ${release.settledChunks} of ${release.expectedChunks} chunks settled, ${release.expectedRows} rows expected`,
          ...headlineLines(release.headline),
          ...(manifestProblem ? [`  manifest refused: ${manifestProblem}`] : []),
          ...campaigns.map((campaign) => `  campaign ${campaign}`),
        ];
        const [campaign] = campaigns;
        const next = campaign ? `ponte campaign watch ${campaign}` : `ponte chunks ${name}`;
        return { json: view, text: lines.join('\n'), next };
      }),
    );
  release
    .command('numbers')
    .description('register what the publisher says of a release, for the report to compare with')
    .argument('<file>', 'the key numbers, a JSON file')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte release numbers dc2-demo/numbers.json')
    .action((file: string, options: OutputOptions) =>
      answer(options, async () => {
        const row = await registerKeyNumbers(await openCloud(), file);
        const { release, source } = row.numbers;
        return { json: row, text: `${release}: key numbers of ${source}`, next: `ponte release report ${release}` };
      }),
    );
  release
    .command('report')
    .description('write a page on what the release holds: sky, depths, magnitudes, what stands out, quarantine')
    .argument('<release>')
    .option('--out <file>', 'where to; <release>-report.html unless given')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte release report dc2-demo --out dc2-demo.html')
    .action((name: string, options: OutputOptions & { out?: string }) =>
      answer(options, async () => {
        const cloud = await openCloud();
        const report = await releaseReport(cloud, name, progress);
        const headline = await keepHeadline(cloud, report, new Date());
        const path = resolve(options.out ?? `${name}-report.html`);
        await writeFile(path, releasePage(report));
        const { summary, quarantined, flagged, shared } = report;
        const text = [
          `${name}: ${summary.rows} rows in ${summary.chunks} usable chunks, ${summary.keptRows} after the cut`,
          `  ${quarantined.length} chunks in quarantine, ${flagged.length} flagged, ${summary.drifts.length} depths drift, ${shared.length} pairs share objects`,
          ...(report.published
            ? [`  ${headline.keyNumbers.differ} of ${headline.keyNumbers.compared} key numbers of the publisher differ`]
            : []),
          `  ${path}`,
        ].join('\n');
        return {
          json: { path, headline, ...report },
          text,
          next: quarantined.length > 0 ? `ponte quarantine list ${name}` : null,
        };
      }),
    );
}

function headlineLines(headline: Headline | undefined): readonly string[] {
  if (!headline) return [];
  const depths = Object.entries(headline.depth).map(([band, depth]) => `${band} ${depth.toFixed(2)}`);
  return [
    `  report of ${headline.at}: ${headline.rows} rows, ${headline.keptRows} after the cut, ${headline.quarantined} chunks in quarantine`,
    ...(depths.length > 0 ? [`  depth at 5 sigma: ${depths.join(', ')}`] : []),
  ];
}
