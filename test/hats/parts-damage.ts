import { rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parquetRelation, quoteLiteral, withDatabase } from '#adapters/duckdb.ts';
import { finishCatalogue } from '#adapters/hats-finisher.ts';
import { localLeafTails } from '#adapters/hats-leaf-tails.ts';
import { writeManifest } from '#adapters/hats-manifest.ts';
import { posteriorColumns } from '#core/hats/columns.ts';
import { leafKeyValuesSql } from '#core/hats/leaf.ts';
import { POSTERIOR_KEY_VALUES } from '#core/hats/posterior.ts';
import type { FindingCode } from '#core/hats/verdict.ts';
import type { Damage } from './damage.ts';
import { edit, leafKeyValues, measuredAnew, rewriteAnd, sealed, shownAnew } from './damage-tools.ts';
import {
  ALGORITHMS,
  CATALOGUE,
  COORDINATES,
  FOLDERS,
  partTails,
  SHAPE,
  type SyntheticCatalogue,
  sealWhole,
} from './synthetic-catalogue.ts';

type Part = 'margin' | 'index' | 'posterior';

/** A partition that has a margin, and the file that a part has for it. */
function target(catalogue: SyntheticCatalogue, part: Part): string {
  const packed = catalogue.packed.find(({ margin }) => margin !== null && margin.rows > 5);
  const file = packed?.[part];
  if (!file) throw new Error('no partition has a margin');
  return join(catalogue.folder, FOLDERS[part], file.path);
}

/** All small files and the manifest, made anew from what is there. */
async function finishWhole(catalogue: SyntheticCatalogue): Promise<void> {
  const { folder, leaves, finish } = catalogue;
  const sized = async <T extends { readonly path: string }>(part: Part, file: T) => ({
    ...file,
    sizeBytes: (await stat(join(folder, FOLDERS[part], file.path))).size,
  });
  const packed = await Promise.all(
    catalogue.packed.map(async (one) => ({
      ...one,
      margin: one.margin && (await sized('margin', one.margin)),
      index: await sized('index', one.index),
      posterior: {
        ...one.posterior,
        ...(await shownAnew(join(folder, FOLDERS.posterior, one.posterior.path), posteriorColumns(SHAPE))),
      },
    })),
  );
  const { rows } = await finishCatalogue({
    ...finish,
    folder,
    leaves: localLeafTails(join(folder, CATALOGUE), await measuredAnew(catalogue, leaves)),
    parts: partTails(folder, packed),
  });
  await sealWhole(folder, { rows });
}

/** A document of the packet changed, and the manifest made to fit. */
function inPacket(name: string, path: string, from: RegExp, to: string): Damage {
  const damage: Damage['damage'] = async (c) => {
    await edit(c, path, (text) => text.replace(from, to));
    await writeManifest(c.folder, { collection: 'synthetic', rows: c.rows });
  };
  return { name, damage, codes: ['PACKET_DIFFERS'] };
}

/** The documents as a version of the wording wrote them that this one does not know, and the manifest to fit. */
export const otherWording: Damage['damage'] = async (c) => {
  await edit(c, 'packet.json', (text) =>
    text.replace('"version": 2', '"version": 1').replace(/"textsVersion": \d+,/, '"unknown": "fact",'),
  );
  await edit(c, 'README.md', (text) => text.replace('## Columns', '## What is in it'));
  await edit(c, 'felis.yaml', (text) =>
    text.replace('description: "Right ascension', 'description: "The right ascension'),
  );
  await writeManifest(c.folder, { collection: 'synthetic', rows: c.rows });
};

/** What is wrong whatever the wording. */
const inOtherWording = (name: string, path: string, from: RegExp | string, to: string, code: FindingCode): Damage => ({
  name: `${name}, in documents of another wording`,
  damage: async (c) => {
    await otherWording(c);
    await edit(c, path, (text) => text.replace(from, to));
    await writeManifest(c.folder, { collection: 'synthetic', rows: c.rows });
  },
  codes: [code],
});

/** A part's file written anew with other columns or rows, `row` being the row number, and everything else to fit. */
function rewritten(part: Part, columns: string, tail = ''): Damage['damage'] {
  return async (catalogue) => {
    await rewritePart(part, target(catalogue, part), columns, tail);
    await finishWhole(catalogue);
  };
}

async function rewritePart(part: Part, path: string, columns: string, tail = ''): Promise<void> {
  await withDatabase({ threads: 1 }, async (database) => {
    await database.run(`CREATE TABLE leaf AS SELECT * FROM ${parquetRelation([path])}`);
    await database.run(`COPY (SELECT * EXCLUDE (row) FROM (SELECT ${columns} FROM
      (SELECT *, row_number() OVER () AS row FROM leaf)) ${tail}) TO ${quoteLiteral(`${path}.new`)}
      (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION V2${keyValues(part)})`);
  });
  await rename(`${path}.new`, path);
}

function keyValues(part: Part): string {
  if (part === 'index') return '';
  if (part === 'margin') return `, KV_METADATA ${leafKeyValues()}`;
  const columns = posteriorColumns({ coordinates: COORDINATES, algorithms: ALGORITHMS });
  const description = 'p(z) of Synthetic <test> & "quotes"';
  return `, KV_METADATA ${leafKeyValuesSql(FOLDERS.posterior, description, columns, POSTERIOR_KEY_VALUES)}`;
}

const inRow = (wrong: string, column: string) =>
  `* REPLACE (CASE WHEN row = 3 THEN ${wrong} ELSE ${column} END AS ${column})`;

export const PART_DAMAGES: readonly Damage[] = [
  {
    name: 'a margin of its first row only',
    damage: rewritten('margin', '*', 'LIMIT 1'),
    codes: ['PART_ROWS', 'MARGIN_INCOMPLETE'],
  },
  {
    name: 'a margin with another estimate than the catalogue',
    damage: rewritten('margin', inRow('bpz_z_best + 0.001::FLOAT', 'bpz_z_best')),
    codes: ['PART_ROWS'],
  },
  {
    name: 'a margin in which two rows have swapped an estimate',
    damage: rewritten(
      'margin',
      `* REPLACE (CASE row WHEN 5 THEN lead(bpz_z_best) OVER (ORDER BY row) WHEN 6 THEN lag(bpz_z_best) OVER (ORDER BY row)
        ELSE bpz_z_best END AS bpz_z_best)`,
      'ORDER BY _healpix_29, objectId',
    ),
    codes: ['PART_ROWS'],
  },
  {
    name: 'a margin out of order',
    damage: rewritten('margin', '*', 'ORDER BY _healpix_29 DESC'),
    codes: ['ROWS_UNSORTED'],
  },
  {
    name: 'a margin that promises more than it holds',
    damage: sealed(async (c) => {
      for (const name of ['properties', 'hats.properties']) {
        await edit(c, `${FOLDERS.margin}/${name}`, (text) => text.replace('threshold=10', 'threshold=40'));
      }
    }),
    codes: ['PART_ROWS', 'MARGIN_INCOMPLETE'],
  },
  {
    name: 'an index that leads elsewhere',
    damage: rewritten('index', inRow('Npix + 1', 'Npix')),
    codes: ['PART_ROWS'],
  },
  {
    name: 'an index out of order',
    damage: rewritten('index', '*', 'ORDER BY objectId DESC'),
    codes: ['ROWS_UNSORTED'],
  },
  {
    name: 'p(z) of another object',
    damage: rewritten('posterior', inRow('objectId + 1', 'objectId')),
    codes: ['PART_ROWS'],
  },
  {
    name: 'p(z) that is missing beside an estimate',
    damage: rewritten('posterior', '* REPLACE (NULL::BLOB AS bpz_pz, NULL::FLOAT AS bpz_pz_peak)'),
    codes: ['POSTERIOR_UNLIKE_ESTIMATES'],
  },
  {
    name: 'p(z) beside a flag that says it was left out',
    damage: (c) =>
      rewriteAnd(c, '* REPLACE (CASE WHEN row < 9 THEN bpz_flags | 512 ELSE bpz_flags END AS bpz_flags)', finishWhole),
    codes: ['INGEST_DIFFERS', 'PART_ROWS', 'POSTERIOR_UNLIKE_ESTIMATES'],
  },
  {
    name: 'p(z) of too few bytes',
    damage: rewritten('posterior', inRow("'\\xFF\\x00'::BLOB", 'bpz_pz')),
    codes: ['POSTERIOR_INVALID'],
  },
  {
    name: 'p(z) with a peak of zero',
    damage: rewritten('posterior', inRow('0::FLOAT', 'bpz_pz_peak')),
    codes: ['POSTERIOR_INVALID'],
  },
  {
    name: 'the p(z) of one algorithm under the name of another, shifted',
    damage: rewritten('posterior', '* REPLACE (array_slice(bpz_pz, 2, 301) || bpz_pz[1:1] AS bpz_pz)'),
    codes: ['POSTERIOR_PEAK'],
  },
  {
    name: 'a thumbnail with another p(z) than the row has',
    damage: sealed((c) =>
      rewritePart(
        'posterior',
        join(c.folder, FOLDERS.posterior, 'data_thumbnail.parquet'),
        '* REPLACE (array_slice(bpz_pz, 2, 301) || bpz_pz[1:1] AS bpz_pz)',
      ),
    ),
    codes: ['THUMBNAIL_DIFFERS'],
  },
  {
    name: 'a link that leads elsewhere',
    damage: sealed((c) => edit(c, 'pz.properties', (text) => text.replace('join_style=left', 'join_style=inner'))),
    codes: ['LINK_DIFFERS'],
  },
  {
    name: 'a schema with another unit',
    damage: sealed((c) => edit(c, 'felis.yaml', (text) => text.replace('"deg"', '"rad"'))),
    codes: ['SCHEMA_DIFFERS'],
  },
  {
    name: 'an ingest manifest with another number of rows',
    damage: sealed((c) => edit(c, 'ingest.json', (text) => text.replace(/"rows":(\d+)/, '"rows":1$1'))),
    codes: ['INGEST_DIFFERS'],
  },
  inOtherWording('another partition', 'packet.json', /"partitions": /, '"partitions": 1', 'PACKET_DIFFERS'),
  inOtherWording('another digest', 'packet.json', /("sizeBytes": \d+,\s+"sha256": ")./, '$1x', 'PACKET_DIFFERS'),
  inOtherWording('another column', 'felis.yaml', '"bpz_z_mode"\n', '"bpz_z_node"\n', 'SCHEMA_DIFFERS'),
  inOtherWording('another type', 'felis.yaml', 'datatype: long', 'datatype: int', 'SCHEMA_DIFFERS'),
  inOtherWording('a schema that is cut short', 'felis.yaml', /tables:[\s\S]+$/, 'tables: [', 'SCHEMA_DIFFERS'),
  inPacket('a packet that counts another partition', 'packet.json', /"partitions": /, '"partitions": 1'),
  inPacket('a packet with the size of another catalogue', 'packet.json', /"sizeBytes": /, '"sizeBytes": 1'),
  inPacket('a documentation page without a limitation', 'README.md', /\n- `bpz`: [^\n]+/, ''),
  inPacket('a Delivery Note with another version', 'DELIVERY_NOTE.md', /made-up\.one/, 'made-up.two'),
  {
    name: 'documents without the facts that they were made from',
    damage: async (c) => {
      await rm(join(c.folder, 'packet.json'));
      await writeManifest(c.folder, { collection: 'synthetic', rows: c.rows });
    },
    codes: ['PACKET_DIFFERS'],
  },
  {
    name: 'an index without _metadata',
    damage: sealed((c) => rm(join(c.folder, FOLDERS.index, 'dataset/_metadata'))),
    codes: ['METADATA_DIFFERS'],
  },
];
