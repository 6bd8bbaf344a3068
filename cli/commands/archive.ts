import type { Command } from 'commander';
import { openCloud } from '#cli/context.ts';
import { fetchArchive } from '#cli/operations/fetch-archive.ts';
import { findCampaign } from '#cli/operations/look.ts';
import { answer, type OutputOptions, progress } from '#cli/output.ts';

/** How often the progress is shown. */
const PROGRESS_EVERY_MS = 2000;

export function archiveCommand(program: Command): void {
  program
    .command('archive')
    .description("bring RAIL's own p(z) of a campaign to a folder, as qp HDF5, every file checked")
    .argument('<campaign>')
    .argument('<folder>')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte archive dc2-demo ./archive')
    .action((name: string, folder: string, options: OutputOptions) =>
      answer(options, async () => {
        const cloud = await openCloud();
        let shownAt = Date.now();
        const fetched = await fetchArchive(cloud, await findCampaign(cloud, name), folder, (done, doneBytes) => {
          if (Date.now() - shownAt < PROGRESS_EVERY_MS) return;
          shownAt = Date.now();
          progress(`${done} files, ${(doneBytes / 1e6).toFixed(0)} MB`);
        });
        const { files, sizeBytes, without } = fetched;
        const lacking = without > 0 ? `; ${without} parts were estimated without an archive` : '';
        return {
          json: fetched,
          text: `${files} files, ${sizeBytes} bytes, in ${fetched.folder}${lacking}`,
          next: `ponte deliver ${fetched.folder} --to destinations.json`,
        };
      }),
    );
}
