import type { Command } from 'commander';
import { deliverCollection, destinationsSchema, openDestination } from '#cli/operations/deliver-collection.ts';
import { readJson } from '#cli/operations/read-json.ts';
import { answer, type OutputOptions, progress } from '#cli/output.ts';
import { progressLines } from '#cli/progress-lines.ts';
import { type DeliveryProgress, withdrawVersion } from '#core/destination.ts';

interface DeliverOptions extends OutputOptions {
  readonly to: string;
}

export function deliverCommand(program: Command): void {
  program
    .command('deliver')
    .description('bring a fetched collection to other places; again after an interruption, to go on')
    .argument('<folder>', "the collection's folder, as ponte fetch leaves it")
    .requiredOption('--to <file>', 'the destinations, as JSON (docs/operator.md)')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte deliver ./photoz --to destinations.json')
    .action((folder: string, options: DeliverOptions) =>
      answer(options, async () => {
        const { destinations } = await readJson(options.to, destinationsSchema, 'DESTINATIONS_UNREADABLE');
        const show = progressLines(progress);
        const onProgress = (place: string, { doneBytes, totalBytes }: DeliveryProgress) =>
          show(place, doneBytes, totalBytes);
        const outcomes = await deliverCollection(folder, destinations, { now: new Date(), onProgress });
        const lines = outcomes.map(({ destination, published, error }) =>
          error ? `${destination}: ${error.code} ${error.message}\n  ${error.hint}` : `${destination}: ${published}`,
        );
        const failed = outcomes.some(({ error }) => error !== null);
        return { json: { destinations: outcomes }, text: lines.join('\n'), failed };
      }),
    );
  program
    .command('recall')
    .description('withdraw a version at the places that ponte deliver brought it to')
    .argument('<collection>')
    .argument('<delivery>')
    .requiredOption('--to <file>', 'the destinations, as JSON (docs/operator.md)')
    .requiredOption('--by <name>', 'who takes it back')
    .requiredOption('--because <text>', 'the reason, for whoever looks for it')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      '\nExample:\n  ponte recall dc2_photoz dc2_photoz-1f0c2d3e4a --to destinations.json --by "A. Sousa" --because "wrong zero point"',
    )
    .action((collection: string, delivery: string, options: DeliverOptions & { by: string; because: string }) =>
      answer(options, async () => {
        const { destinations } = await readJson(options.to, destinationsSchema, 'DESTINATIONS_UNREADABLE');
        const withdrawal = { at: new Date().toISOString(), by: options.by, because: options.because };
        const done = [];
        for (const place of destinations) {
          const published = await withdrawVersion(openDestination(place, '.'), collection, delivery, withdrawal);
          done.push({ destination: place.name, published });
        }
        const lines = done.map(({ destination, published }) => `${destination}: public now: ${published ?? 'nothing'}`);
        return { json: { destinations: done }, text: lines.join('\n') };
      }),
    );
}
