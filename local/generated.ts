import { lifeCycleDiagram } from '#core/life-cycle.ts';
import columns from '#schemas/photoz-columns.json' with { type: 'json' };

/** The parts of documents that are made from code and schemas: path, then name, then text. */
const BLOCKS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'docs/astronomer.md': { columns: columnTable(), flags: flagTable(), posterior: posteriorTable() },
  'ARCHITECTURE.md': { 'life of a chunk': `\`\`\`mermaid\n${lifeCycleDiagram()}\n\`\`\`` },
};

/** The documents that have such parts, relative to the repository's folder. */
export const GENERATED_DOCUMENTS = Object.keys(BLOCKS);

/**
 * A document with its parts as they should be; a part stands between `<!-- NAME: begin -->` and `<!-- NAME: end -->`.
 * @throws {RangeError} when a part has lost its place.
 */
export function regenerated(path: string, document: string): string {
  return Object.entries(BLOCKS[path] ?? {}).reduce((text, [name, block]) => {
    const [begin, end] = [`<!-- ${name}: begin -->\n`, `\n<!-- ${name}: end -->`];
    const [from, to] = [text.indexOf(begin), text.indexOf(end)];
    if (from < 0 || to < from) throw new RangeError(`${path} has no place for "${name}": ${begin}${end}`);
    return `${text.slice(0, from)}${begin}${block}${text.slice(to)}`;
  }, document);
}

function columnTable(): string {
  const shown = (name: string, { datatype, unit, ucd, description }: (typeof columns.perAlgorithm)[number] | Key) => [
    ...[`\`${name}\``, datatype, unit ?? '', `\`${ucd}\``],
    description.replaceAll('{flags}', 'the flags below'),
  ];
  return markdownTable(
    ['column', 'type', 'unit', 'UCD', 'meaning'],
    [
      ...columns.keys.map((column) => shown(column.name, column)),
      ...columns.perAlgorithm.map((column) => shown(`{algorithm}_${column.suffix}`, column)),
    ],
  );
}
type Key = (typeof columns.keys)[number];

function posteriorTable(): string {
  return markdownTable(
    ['column', 'type', 'UCD', 'meaning'],
    columns.posterior.map(({ suffix, datatype, ucd, description }) => [
      ...[`\`{algorithm}_${suffix}\``, datatype === 'unsignedByte' ? 'bytes' : datatype, `\`${ucd}\``, description],
    ]),
  );
}

function flagTable(): string {
  return markdownTable(
    ['value', 'name', 'meaning'],
    columns.flags.map(({ value, name, description }) => [String(value), `\`${name}\``, description]),
  );
}

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`.replaceAll('|  |', '| |');
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}
