import columns from '#schemas/photoz-columns.json' with { type: 'json' };

/** The tables of docs/astronomer.md, as schemas/photoz-columns.json has them. */
export const COLUMN_TABLE = markdownTable(
  ['column', 'type', 'unit', 'meaning'],
  [
    ...columns.keys.map(({ name, datatype, unit, description }) => [`\`${name}\``, datatype, unit ?? '', description]),
    ...columns.perAlgorithm.map(({ suffix, datatype, unit, description }) => [
      `\`{algorithm}_${suffix}\``,
      datatype,
      unit ?? '',
      description.replaceAll('{flags}', 'the flags below'),
    ]),
  ],
);

export const FLAG_TABLE = markdownTable(
  ['value', 'name', 'meaning'],
  columns.flags.map(({ value, name, description }) => [String(value), `\`${name}\``, description]),
);

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`.replaceAll('|  |', '| |');
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}
