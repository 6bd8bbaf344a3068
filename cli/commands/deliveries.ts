import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { CollectionSource } from '#adapters/collection-source.ts';
import { verifyCatalogue } from '#adapters/hats-verifier.ts';
import { openCloud } from '#cli/context.ts';
import { furtherNext, furtherText } from '#cli/further-text.ts';
import { fetchDelivery } from '#cli/operations/fetch-delivery.ts';
import { deliveriesOf } from '#cli/operations/look.ts';
import { redeliver } from '#cli/operations/redeliver.ts';
import { openCollection, type RemoteOptions } from '#cli/operations/remote-collection.ts';
import { withdrawDelivery } from '#cli/operations/withdraw-delivery.ts';
import { answer, type OutputOptions, progress, table } from '#cli/output.ts';
import { progressLines } from '#cli/progress-lines.ts';
import type { Digest } from '#core/digest.ts';
import { furtherDeliveriesOf } from '#core/further-delivery.ts';
import type { VerifyReport } from '#core/hats/verdict.ts';

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
        const further = deliveries.flatMap((each) => each.further.map((f) => `${each.delivery} at ${furtherText(f)}`));
        const last = deliveries.findLast(({ withdrawn }) => withdrawn === null);
        const mend = deliveries.map((each) => furtherNext(each.withdrawn ? [] : each.further)).find(Boolean);
        const fetch = last ? `ponte fetch ${last.delivery} <folder>` : null;
        return { json: { deliveries }, text: [text, ...further].join('\n'), next: mend ?? fetch };
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

export function redeliverCommand(program: Command): void {
  program
    .command('redeliver')
    .description('have a delivery that failed at a destination of its campaign go on there')
    .argument('<delivery>')
    .argument('<destination>')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte redeliver dc2_demo_object_photoz-1f0c2d3e4a us-dac')
    .action((delivery: string, destination: string, options: OutputOptions) =>
      answer(options, async () => {
        const { before, started } = await redeliver(await openCloud(), { delivery, destination }, new Date());
        const how = {
          started: `goes on to ${destination}`,
          alreadyStarted: {
            delivered: `is at ${destination}`,
            delivering: `is on its way to ${destination}`,
            failed: `is just failing at ${destination}; ask again in a moment`,
          }[before],
          endedBadly: `has failed at ${destination} too often; look at its executions`,
        }[started];
        return {
          json: { delivery, destination, before, started },
          text: `${delivery} ${how}`,
          next: 'ponte deliveries',
          failed: started === 'endedBadly',
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
        const text = `${delivery} is withdrawn: ${done.withdrawn.because}; public now: ${done.published ?? 'nothing'}`;
        const elsewhere = (await furtherDeliveriesOf(cloud.table, delivery)).map(furtherText);
        const still =
          elsewhere.length > 0 ? ['still as they were, ponte recall takes it back there:', ...elsewhere] : [];
        return { json: done, text: [text, ...still].join('\n'), next: 'ponte deliveries' };
      }),
    );
}

interface VerifyOptions extends OutputOptions, RemoteOptions {
  readonly expectedRows?: number;
  readonly scratch?: string;
}

export function verifyCommand(program: Command): void {
  program
    .command('verify')
    .description('check a delivered collection, down to its last row; needs no account of Ponte')
    .argument('<place>', "the collection's folder, or s3://bucket/path")
    .option('--expected-rows <number>', 'how many rows it must have', Number)
    .option('--endpoint <url>', 'of a service other than AWS')
    .option('--region <name>', 'of the bucket')
    .option('--profile <name>', 'of the AWS configuration files')
    .option('--anonymous', 'without a signature, for public buckets')
    .option('--scratch <folder>', 'where a collection from a bucket is looked at, a partition at a time')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      '\nExample:\n  ponte verify ./photoz --expected-rows 17041\n  ponte verify s3://photoz/public/dc2_photoz --anonymous --region us-east-1',
    )
    .action((place: string, options: VerifyOptions) =>
      answer(options, async () => {
        const report = place.startsWith('s3://')
          ? await verifyRemote(place, options)
          : await verifyPlace(place, options);
        const head = `${report.collection ?? place}: ${report.sound ? 'sound' : 'NOT SOUND'}, ${report.rows} rows in ${report.leaves} partitions, ${report.files} files`;
        const findings = report.findings.map((finding) => `  ${finding.code} ${finding.where}: ${finding.sentence}`);
        const notes = report.notes.map(({ where, sentence }) => `  note on ${where}: ${sentence}`);
        return { json: report, text: [head, ...findings, ...notes].join('\n'), failed: !report.sound };
      }),
    );
}

function verifyPlace(
  source: CollectionSource | string,
  { expectedRows }: VerifyOptions,
  manifestSha256?: Digest,
): Promise<VerifyReport> {
  const show = progressLines(progress);
  return verifyCatalogue({
    source,
    ...(expectedRows === undefined ? {} : { expectedRows }),
    ...(manifestSha256 === undefined ? {} : { manifestSha256 }),
    onProgress: ({ stage, done, total }) => show(stage, done, total),
  });
}

/** What it brings is removed again, also when it is interrupted. */
async function verifyRemote(url: string, options: VerifyOptions): Promise<VerifyReport> {
  const folder = await mkdtemp(join(options.scratch ?? tmpdir(), 'ponte-verify-'));
  const interrupted = (signal: NodeJS.Signals) => {
    rmSync(folder, { recursive: true, force: true });
    process.exit(signal === 'SIGINT' ? 130 : 143);
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    const { source, manifestSha256 } = await openCollection(url, folder, options);
    return await verifyPlace(source, options, manifestSha256);
  } finally {
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
    await rm(folder, { recursive: true, force: true });
  }
}
