import { availableParallelism } from 'node:os';
import { type Command, InvalidArgumentError } from 'commander';
import { openCloud } from '#cli/context.ts';
import { findCampaign } from '#cli/operations/look.ts';
import { packAgain } from '#cli/operations/pack-again.ts';
import { answer, type OutputOptions, progress } from '#cli/output.ts';

interface PackOptions extends OutputOptions {
  readonly kept: string;
  readonly atOnce: number;
}

const positive = (text: string) => {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw new InvalidArgumentError('must be a whole number above 0');
};

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

export function packCommand(program: Command): void {
  program
    .command('pack')
    .description("pack a campaign's table at a site, from what its agent kept: the same bytes, without bringing them")
    .argument('<campaign>')
    .argument('<folder>')
    .requiredOption('--kept <folder>', "the agent's `keep`")
    .option('--at-once <number>', 'partitions at a time, of a core and 1 GB each', positive, availableParallelism())
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte pack dc2-demo ./photoz --kept /data/ponte/kept')
    .action((name: string, folder: string, { kept, atOnce, ...options }: PackOptions) =>
      answer(options, async () => {
        const cloud = await openCloud();
        const onPartition = (done: number, total: number) => progress(`${done}/${total} partitions`);
        const campaign = await findCampaign(cloud, name);
        const packed = await packAgain(cloud, campaign, folder, { kept, atOnce, onPartition });
        const { rows, partitions, sizeBytes, hereBytes, cloudBytes, copiedBytes } = packed;
        const lines = [
          `${rows} rows in ${partitions} partitions, ${megabytes(sizeBytes)}, in ${packed.folder}: the bytes of the campaign's manifest`,
          `inputs: ${megabytes(hereBytes)} lay here, ${megabytes(cloudBytes)} came out of the cloud; ${megabytes(copiedBytes)} of metadata and documents were copied`,
        ];
        return { json: packed, text: lines.join('\n'), next: `ponte verify ${packed.folder}` };
      }),
    );
}
