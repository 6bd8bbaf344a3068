import type { PhotozColumn } from '#core/hats/columns.ts';

/**
 * A VOTable header without data that describes the columns: the value of the Parquet key
 * `IVOA.VOTable-Parquet.content` (IVOA note "VOParquet", version 1.0).
 */
export function votableHeader(tableName: string, description: string, columns: readonly PhotozColumn[]): string {
  const fields = columns.map((column) => {
    const unit = column.unit === null ? '' : ` unit="${escapeXml(column.unit)}"`;
    const array = column.datatype === 'unsignedByte' ? ' arraysize="*"' : '';
    const attributes = `name="${escapeXml(column.name)}" datatype="${column.datatype}"${array}${unit} ucd="${column.ucd}"`;
    return `<FIELD ${attributes}><DESCRIPTION>${escapeXml(column.description)}</DESCRIPTION></FIELD>`;
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">',
    '<RESOURCE type="results">',
    `<TABLE name="${escapeXml(tableName)}">`,
    `<DESCRIPTION>${escapeXml(description)}</DESCRIPTION>`,
    ...fields,
    '</TABLE>',
    '</RESOURCE>',
    '</VOTABLE>',
    '',
  ].join('\n');
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
