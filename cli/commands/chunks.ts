import type { Command } from 'commander';
import { openCloud } from '#cli/context.ts';
import { chunksOf } from '#cli/operations/look.ts';
import { upload } from '#cli/operations/upload.ts';
import { answer, type OutputOptions, progress, table } from '#cli/output.ts';

/** People read a page; `--json` gives all. */
const SHOWN = 200;

export function uploadCommand(program: Command): void {
  program
    .command('upload')
    .description('upload chunks and the manifest of a release; the pipeline starts by itself')
    .argument('<release>')
    .argument('<paths...>', 'files, or folders of files; manifest.json goes last')
    .option('--again', 'upload also what lies there already')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte upload dc2-demo ./chunks ./manifest.json')
    .action((release: string, paths: string[], options: OutputOptions & { again?: boolean }) =>
      answer(options, async () => {
        const files = await upload(await openCloud(), release, paths, {
          again: options.again ?? false,
          onFile: (file, done, total) =>
            progress(`${done}/${total} ${file.outcome} ${file.name} (${file.sizeBytes} bytes)`),
        });
        const kept = files.filter((file) => file.outcome === 'kept').length;
        return {
          json: { release, files },
          text: `${files.length - kept} uploaded, ${kept} were there already`,
          next: `ponte chunks ${release}`,
        };
      }),
    );
}

export function chunksCommand(program: Command): void {
  program
    .command('chunks')
    .description('list the chunks of a release, with the reasons of those in quarantine')
    .argument('<release>')
    .option('--state <state>', 'only those in this state, for instance quarantined')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte chunks dc2-demo --state quarantined')
    .action((release: string, options: OutputOptions & { state?: string }) =>
      answer(options, async () => {
        const chunks = [];
        for await (const chunk of chunksOf(await openCloud(), release)) {
          if (!options.state || chunk.state === options.state) chunks.push(chunk);
        }
        const rows = chunks
          .sort((a, b) => (a.name < b.name ? -1 : 1))
          .slice(0, SHOWN)
          .map((chunk) => [
            chunk.name,
            chunk.chunkId.slice(0, 12),
            chunk.state,
            chunk.rows ?? '-',
            chunk.parts ?? '-',
            chunk.findings.map((finding) => `${finding.code}: ${finding.sentence}`).join('; '),
          ]);
        const text = table(['name', 'chunk', 'state', 'rows', 'parts', 'why'], rows);
        const more = chunks.length > SHOWN ? `\n... and ${chunks.length - SHOWN} more (--json lists all)` : '';
        return { json: { release, chunks }, text: text + more, next: `ponte release show ${release}` };
      }),
    );
}
