import type { Command } from 'commander';
import { openCloud } from '#cli/context.ts';
import { findOneAncillary, listAncillary, registerAncillary } from '#cli/operations/ancillary.ts';
import { answer, type OutputOptions, table } from '#cli/output.ts';

export function ancillaryCommand(program: Command): void {
  const ancillary = program
    .command('ancillary')
    .description('maps, tracts, templates, filter curves, documents: files that recipes and algorithms name by digest');
  ancillary
    .command('register')
    .description('register a file with its source and licence')
    .argument('<file>', 'its description, a JSON file; the path in it starts at its folder')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte ancillary register sfd-map.json')
    .action((file: string, options: OutputOptions) =>
      answer(options, async () => {
        const { outcome, row } = await registerAncillary(await openCloud(), file);
        return {
          json: { outcome, ...row },
          text: `${row.kind} ${row.name}: ${outcome}\n  ${row.object.sha256}`,
          next: 'ponte ancillary list',
        };
      }),
    );
  ancillary
    .command('list')
    .description('list the registered files')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte ancillary list')
    .action((options: OutputOptions) =>
      answer(options, async () => {
        const files = await listAncillary(await openCloud());
        const rows = files.map(({ kind, name, object, licence, source }) => [
          kind,
          name,
          object.sha256.slice(0, 12),
          object.sizeBytes,
          licence,
          source,
        ]);
        const head = ['kind', 'name', 'digest', 'bytes', 'licence', 'source'];
        return { json: { files }, text: rows.length > 0 ? table(head, rows) : 'no ancillary file is registered' };
      }),
    );
  ancillary
    .command('show')
    .description('show one registered file')
    .argument('<file>', 'its name, or the first 8 digits or more of its digest')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte ancillary show sfd-2048')
    .action((file: string, options: OutputOptions) =>
      answer(options, async () => {
        const row = await findOneAncillary(await openCloud(), file);
        const { kind, name, title, source, licence, healpix, fileName, object, registeredAt, registeredBy } = row;
        const lines = [
          `${kind} ${name}: ${title}`,
          `  ${fileName}, ${object.sizeBytes} bytes, sha256 ${object.sha256}`,
          `  source ${source}; licence ${licence}`,
          ...(healpix
            ? [`  HEALPix order ${healpix.order}, ${healpix.scheme}, ${healpix.frame}, ${healpix.quantity}`]
            : []),
          `  registered ${registeredAt} by ${registeredBy}`,
        ];
        return { json: row, text: lines.join('\n') };
      }),
    );
}
