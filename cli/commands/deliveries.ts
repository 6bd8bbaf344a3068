import type { Command } from 'commander';
import { verifyCatalogue } from '#adapters/hats-verifier.ts';
import { openCloud } from '#cli/context.ts';
import { fetchDelivery } from '#cli/operations/fetch-delivery.ts';
import { deliveriesOf } from '#cli/operations/look.ts';
import { withdrawDelivery } from '#cli/operations/withdraw-delivery.ts';
import { answer, type OutputOptions, progress, table } from '#cli/output.ts';

export function deliveriesCommand(program: Command): void {
  program
    .command('deliveries')
    .description('list what was delivered')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte deliveries')
    .action((options: OutputOptions) =>
      answer(options, async () => {
        const deliveries = await deliveriesOf(await openCloud());
        const rows = deliveries.map((row) => [
          row.delivery,
          row.release,
          row.rows,
          row.files,
          row.sizeBytes,
          row.deliveredAt,
          row.withdrawn ? `withdrawn: ${row.withdrawn.because}` : '',
        ]);
        const text =
          rows.length > 0
            ? table(['delivery', 'release', 'rows', 'files', 'bytes', 'delivered', ''], rows)
            : 'nothing was delivered yet';
        const last = deliveries.findLast(({ withdrawn }) => withdrawn === null);
        return { json: { deliveries }, text, next: last ? `ponte fetch ${last.delivery} <folder>` : null };
      }),
    );
  program
    .command('fetch')
    .description('bring a delivery to a folder, every file checked')
    .argument('<delivery>')
    .argument('<folder>')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte fetch dc2_demo_object_photoz-1f0c2d3e4a ./photoz')
    .action((delivery: string, folder: string, options: OutputOptions) =>
      answer(options, async () => {
        const fetched = await fetchDelivery(await openCloud(), delivery, folder, (done, total) => {
          if (done === total || done % 100 === 0) progress(`${done}/${total} files`);
        });
        return {
          json: fetched,
          text: `${fetched.files} files, ${fetched.sizeBytes} bytes, in ${fetched.folder}`,
          next: `ponte verify ${fetched.folder}`,
        };
      }),
    );
}

export function withdrawCommand(program: Command): void {
  program
    .command('withdraw')
    .description('take a delivery back; its files stay, and the version before it is public again')
    .argument('<delivery>')
    .requiredOption('--because <text>', 'the reason, for whoever looks for it')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      '\nExample:\n  ponte withdraw dc2_demo_object_photoz-1f0c2d3e4a --because "wrong zero point in y"',
    )
    .action((delivery: string, options: OutputOptions & { because: string }) =>
      answer(options, async () => {
        const cloud = await openCloud();
        const withdrawal = { at: new Date().toISOString(), by: await cloud.identity(), because: options.because };
        const done = await withdrawDelivery(cloud.table, cloud.delivery, delivery, withdrawal);
        const text = `${delivery} is withdrawn: ${done.withdrawn.because}`;
        return { json: done, text: `${text}; public now: ${done.published ?? 'nothing'}`, next: 'ponte deliveries' };
      }),
    );
}

/** How often the progress of a long check is shown. */
const PROGRESS_EVERY_MS = 2000;

export function verifyCommand(program: Command): void {
  program
    .command('verify')
    .description('check a delivered collection, down to its last row; needs no account and no network')
    .argument('<folder>', "the collection's folder")
    .option('--expected-rows <number>', 'how many rows it must have', Number)
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte verify ./photoz --expected-rows 17041')
    .action((folder: string, options: OutputOptions & { expectedRows?: number }) =>
      answer(options, async () => {
        let shownAt = Date.now();
        const report = await verifyCatalogue({
          folder,
          ...(options.expectedRows === undefined ? {} : { expectedRows: options.expectedRows }),
          onProgress: ({ stage, done, total }) => {
            if (Date.now() - shownAt < PROGRESS_EVERY_MS) return;
            shownAt = Date.now();
            progress(`${stage}: ${total > 0 ? Math.floor((100 * done) / total) : 100} %`);
          },
        });
        const head = `${report.collection ?? folder}: ${report.sound ? 'sound' : 'NOT SOUND'}, ${report.rows} rows in ${report.leaves} partitions, ${report.files} files`;
        const findings = report.findings.map((finding) => `  ${finding.code} ${finding.where}: ${finding.sentence}`);
        return { json: report, text: [head, ...findings].join('\n'), failed: !report.sound };
      }),
    );
}
