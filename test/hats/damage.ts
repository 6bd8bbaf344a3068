import { rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FindingCode } from '#core/hats/verdict.ts';
import { parquetRelation } from '#core/sql.ts';
import {
  copyLeafInside,
  countOneMore,
  cutLeaf,
  type Damaging,
  edit,
  editProperties,
  finishAndSeal,
  flipBit,
  leafFile,
  lessRows,
  patch,
  rewriteAllAnd,
  rewriteAnd,
  rewriteFile,
  seal,
  sealed,
} from './damage-tools.ts';
import { CATALOGUE } from './synthetic-catalogue.ts';

export interface Damage {
  readonly name: string;
  readonly damage: Damaging;
  /** Exactly the codes that the verifier must report. */
  readonly codes: readonly FindingCode[];
  /** Whether the verifier is told the rows and the manifest's digest that the delivery recorded. */
  readonly knowsRecord?: boolean;
}

/** What else a leaf's absence, or its unreadable end, shows in. */
const MISSING_LEAF: readonly FindingCode[] = [
  ...(['METADATA_DIFFERS', 'ROWS_DECLARED', 'MANIFEST_ROWS', 'MAP_DIFFERS', 'THUMBNAIL_DIFFERS'] as const),
];

/** What else a leaf with another schema shows in: its rows are not looked at. */
const OTHER_LEAF: readonly FindingCode[] = ['METADATA_DIFFERS', 'MAP_DIFFERS', 'THUMBNAIL_DIFFERS'];

/** An id that some row outside the leaf has: the ids of synthetic catalogues are 2^60 + i * 1000003. */
const OTHER_LEAFS_ID = `(SELECT 1152921504606846976 + i * 1000003 AS id FROM range(6000) r(i)
  WHERE 1152921504606846976 + i * 1000003 NOT IN (SELECT objectId FROM leaf) LIMIT 1)`;

/** Damage on the way: the manifest is that of the intact collection. */
const onTheWay: readonly Damage[] = [
  { name: 'a bit is flipped in a data page', damage: flipBit, codes: ['FILE_DIGEST'] },
  { name: 'a leaf is cut short', damage: (c) => cutLeaf(c, 1), codes: ['FILE_SIZE', 'LEAF_FRAME', ...MISSING_LEAF] },
  {
    name: 'a leaf is empty',
    damage: (c) => truncate(leafFile(c), 0),
    codes: ['FILE_SIZE', 'LEAF_FRAME', ...MISSING_LEAF],
  },
  {
    name: 'a leaf is missing',
    damage: (c) => rm(leafFile(c)),
    codes: ['FILE_MISSING', 'PARTITIONS_LISTED', ...MISSING_LEAF],
  },
  { name: 'a file is left over', damage: (c) => writeFile(`${leafFile(c)}.1.partial`, 'x'), codes: ['FILE_STRAY'] },
  { name: 'the manifest is missing', damage: (c) => rm(join(c.folder, 'manifest.json')), codes: ['MANIFEST_MISSING'] },
  {
    name: 'the manifest points outside',
    damage: (c) =>
      edit(c, 'manifest.json', (text) => text.replace('"collection.properties"', '"../collection.properties"')),
    codes: ['MANIFEST_UNREADABLE'],
  },
  {
    name: 'the manifest is cut short',
    damage: (c) => edit(c, 'manifest.json', (text) => text.slice(0, -3)),
    codes: ['MANIFEST_UNREADABLE'],
  },
  {
    name: 'a whole collection is put in place of another',
    damage: (c) => rewriteAnd(c, '* REPLACE (bpz_z_best + 0.001::FLOAT AS bpz_z_best)', finishAndSeal),
    codes: ['MANIFEST_REPLACED'],
    knowsRecord: true,
  },
  {
    name: 'the rows of a leaf are lost before it is finished and sealed',
    damage: (c) => rewriteAnd(c, '*', (d) => finishAndSeal(d, lessRows), 'OFFSET 10'),
    codes: ['ROWS_EXPECTED', 'MANIFEST_REPLACED'],
    knowsRecord: true,
  },
];

/** Bytes of the largest leaf overwritten; counted from its end when `position` is negative. */
function patched(name: string, position: number, text: string, codes: readonly FindingCode[]): Damage {
  return { name, damage: sealed((c) => patch(leafFile(c), position, text)), codes };
}

/** Damage at the source: the manifest agrees with the damaged files. */
const frames: readonly Damage[] = [
  patched('the first bytes of a leaf', 0, 'XXXX', ['LEAF_FRAME', ...MISSING_LEAF]),
  patched('the last bytes of a leaf', -4, 'XXXX', ['LEAF_FRAME', ...MISSING_LEAF]),
  patched('the length of a footer', -8, 'ZZZZ', ['LEAF_FRAME', ...MISSING_LEAF]),
  patched('a footer of nonsense', -300, 'Z'.repeat(290), ['LEAF_FRAME', ...MISSING_LEAF]),
  patched('a page that does not decompress', 40, 'Z'.repeat(400), [
    'LEAF_UNREADABLE',
    'MAP_DIFFERS',
    'THUMBNAIL_DIFFERS',
  ]),
  {
    name: 'a footer that counts one row more',
    damage: sealed(countOneMore),
    codes: ['LEAF_ROWS', 'ROWS_DECLARED', 'MANIFEST_ROWS', 'METADATA_DIFFERS'],
  },
  {
    name: 'a renamed column in one leaf',
    damage: (c) => rewriteAnd(c, '* RENAME (bpz_flags AS bpz_flag)', seal),
    codes: ['LEAF_SCHEMA', ...OTHER_LEAF],
  },
  {
    name: 'an unsigned index in one leaf',
    damage: (c) => rewriteAnd(c, '* REPLACE (_healpix_29::UBIGINT AS _healpix_29)', seal),
    codes: ['LEAF_SCHEMA', ...OTHER_LEAF],
  },
  {
    name: 'a column too many in all leaves',
    damage: (c) => rewriteAllAnd(c, '*, 1 AS extra', finishAndSeal),
    codes: ['COLUMNS_UNEXPECTED'],
  },
  {
    name: 'a leaf inside another',
    damage: sealed(copyLeafInside),
    codes: [
      'PARTITIONS_OVERLAP',
      'PARTITIONS_LISTED',
      'METADATA_DIFFERS',
      'ROWS_DECLARED',
      'MANIFEST_ROWS',
      'ID_NOT_UNIQUE',
      'ROW_OUTSIDE_PIXEL',
      'MAP_DIFFERS',
      'THUMBNAIL_DIFFERS',
    ],
  },
];

/** Both copies of the properties changed. */
function inProperties(name: string, from: string, to: string, codes: readonly FindingCode[]): Damage {
  return { name, damage: sealed((c) => editProperties(c, (text) => text.replace(from, to))), codes };
}

const swapped = (_: string, prefix: string, name: string) => `${prefix}${name === 'ra' ? 'dec' : 'ra'}`;

const smallFiles: readonly Damage[] = [
  {
    name: 'a wrong number of rows in the manifest',
    damage: (c) => edit(c, 'manifest.json', (text) => text.replace('"rows": 6000', '"rows": 5999')),
    codes: ['MANIFEST_ROWS'],
  },
  {
    name: 'no collection.properties',
    damage: sealed((c) => rm(join(c.folder, 'collection.properties'))),
    codes: ['COLLECTION_UNREADABLE'],
  },
  {
    name: 'a collection that points outside',
    damage: sealed((c) => edit(c, 'collection.properties', (text) => text.replace(CATALOGUE, '../elsewhere'))),
    codes: ['COLLECTION_UNREADABLE'],
  },
  {
    name: 'two margins, of which nobody checks the second',
    damage: sealed((c) => edit(c, 'collection.properties', (text) => `${text}all_margins=one two\n`)),
    codes: ['PART_NOT_CHECKED'],
  },
  inProperties('a wrong hats_nrows', 'hats_nrows=6000', 'hats_nrows=6001', ['ROWS_DECLARED']),
  inProperties('another type of catalogue', 'dataproduct_type=object', 'dataproduct_type=map', [
    'PROPERTIES_UNREADABLE',
  ]),
  inProperties('a coordinate column that is not there', 'hats_col_ra=coord_ra', 'hats_col_ra=ra', [
    'PROPERTIES_COLUMN',
  ]),
  inProperties('a default column that is not there', 'bpz_z_best', 'bpz_z_beste', ['PROPERTIES_COLUMN']),
  {
    name: 'coordinates the wrong way round',
    damage: sealed((c) => editProperties(c, (text) => text.replaceAll(/(hats_col_)(ra|dec)/g, swapped))),
    codes: ['PROPERTIES_COLUMN'],
  },
  inProperties('a sky map of no order', 'hats_skymap_order=10', 'hats_skymap_order=ten', ['PROPERTIES_UNREADABLE']),
  {
    name: 'a sealed file that no reader knows',
    damage: sealed((c) => writeFile(`${leafFile(c)}.old`, 'x')),
    codes: ['FILE_STRAY'],
  },
  {
    name: 'two different properties',
    damage: sealed((c) => edit(c, `${CATALOGUE}/hats.properties`, (text) => text.replace('ponte', 'porto'))),
    codes: ['PROPERTIES_DIFFER'],
  },
  {
    name: 'a partition that is not listed',
    damage: sealed((c) => edit(c, `${CATALOGUE}/partition_info.csv`, (text) => text.replace(/\n[^\n]+\n$/, '\n'))),
    codes: ['PARTITIONS_LISTED'],
  },
  {
    name: 'a changed _metadata',
    damage: sealed((c) => patch(join(c.folder, CATALOGUE, 'dataset/_metadata'), -200, 'Z')),
    codes: ['METADATA_DIFFERS'],
  },
  {
    name: 'no _common_metadata',
    damage: sealed((c) => rm(join(c.folder, CATALOGUE, 'dataset/_common_metadata'))),
    codes: ['COMMON_METADATA_DIFFERS'],
  },
  {
    name: 'a sky map with another count',
    damage: sealed((c) => patch(join(c.folder, CATALOGUE, 'point_map.fits'), 5760 + 15, '\u0007')),
    codes: ['MAP_DIFFERS'],
  },
];

const THUMBNAIL = `${CATALOGUE}/data_thumbnail.parquet`;

/** The thumbnail written anew from itself, or with the rows that `leaf`, a Parquet relation, has in another order. */
const inThumbnail = (name: string, columns: string, tail?: string): Damage => ({
  name,
  damage: sealed((c) => rewriteFile(join(c.folder, THUMBNAIL), columns, tail)),
  codes: ['THUMBNAIL_DIFFERS'],
});

const thumbnails: readonly Damage[] = [
  inThumbnail('a thumbnail with another estimate', '* REPLACE (bpz_z_best + 0.001::FLOAT AS bpz_z_best)'),
  inThumbnail('a thumbnail without the row of a leaf', '*', 'LIMIT 3'),
  inThumbnail('a thumbnail with a row twice', '*', 'UNION ALL (SELECT * FROM leaf LIMIT 1) ORDER BY _healpix_29'),
  inThumbnail('a thumbnail out of order', '*', 'ORDER BY _healpix_29 DESC'),
  inThumbnail('a thumbnail with a column less', '* EXCLUDE (bpz_flags)'),
  {
    name: 'a thumbnail with another row of a leaf than its first',
    damage: sealed(async (c) => {
      const [leaf] = c.leaves;
      const second = `(SELECT * FROM ${parquetRelation([leafFile(c, leaf)])} LIMIT 1 OFFSET 1)`;
      await rewriteFile(
        join(c.folder, THUMBNAIL),
        '*',
        `WHERE _healpix_29 > (SELECT min(_healpix_29) FROM leaf)
        UNION ALL SELECT * FROM ${second} ORDER BY _healpix_29`,
      );
    }),
    codes: ['THUMBNAIL_DIFFERS'],
  },
  {
    name: 'a thumbnail that is cut short',
    damage: sealed((c) => truncate(join(c.folder, THUMBNAIL), 2_000)),
    codes: ['THUMBNAIL_DIFFERS'],
  },
  { name: 'no thumbnail', damage: (c) => rm(join(c.folder, THUMBNAIL)), codes: ['FILE_MISSING'] },
];

/** Wrong values of one row in the largest leaf; everything else is made to fit them. */
const value = (name: string, columns: string, codes: readonly FindingCode[]): Damage => ({
  name,
  damage: (c) => rewriteAnd(c, `* REPLACE (${columns})`, finishAndSeal),
  codes,
});
const inRow = (row: number, wrong: string, column: string) =>
  `CASE WHEN row = ${row} THEN ${wrong} ELSE ${column} END AS ${column}`;

const rows: readonly Damage[] = [
  {
    name: 'rows out of order',
    damage: (c) => rewriteAnd(c, '*', finishAndSeal, 'ORDER BY objectId'),
    codes: ['ROWS_UNSORTED'],
  },
  value('an index of zeros', '0::BIGINT AS _healpix_29', [
    'INDEX_WRONG',
    'ROW_OUTSIDE_PIXEL',
    'ROWS_UNSORTED',
    'MAP_DIFFERS',
  ]),
  value('an index that is off by one', inRow(5, '_healpix_29 + 1', '_healpix_29'), ['INDEX_WRONG']),
  value('a coordinate that was rounded', inRow(5, 'round(coord_dec, 6)', 'coord_dec'), ['INDEX_WRONG']),
  value('a coordinate without a value', inRow(5, 'NULL', 'coord_ra'), ['KEY_MISSING', 'INDEX_WRONG']),
  value('a coordinate that is not a number', inRow(5, "'nan'::DOUBLE", 'coord_ra'), ['INDEX_WRONG']),
  value('an id without a value', inRow(5, 'NULL', 'objectId'), ['KEY_MISSING']),
  value('an id that another row has', inRow(5, `(SELECT max(objectId) FROM leaf)`, 'objectId'), ['ID_NOT_UNIQUE']),
  value('an id that a row of another leaf has', inRow(5, OTHER_LEAFS_ID, 'objectId'), ['ID_NOT_UNIQUE']),
  value('NaN as an estimate', inRow(5, "'nan'::FLOAT", 'bpz_z_mode'), ['VALUE_NOT_FINITE']),
  value('a redshift of 7', inRow(5, '7::FLOAT', 'fzboost_z_best'), ['VALUE_OUT_OF_RANGE']),
  value('a template below 0', inRow(5, '-1', 'bpz_template'), ['TEMPLATE_INVALID']),
  value('a template of 10,000', inRow(5, '10000', 'bpz_template'), ['TEMPLATE_INVALID']),
  value('odds of 2', inRow(5, '2::FLOAT', 'bpz_odds'), ['VALUE_OUT_OF_RANGE']),
  value('the old sentinel -99', inRow(5, '(-99)::FLOAT', 'bpz_z_mean'), ['VALUE_OUT_OF_RANGE']),
  value('an interval the wrong way round', 'bpz_z_err68_high AS bpz_z_err68_low, bpz_z_err68_low AS bpz_z_err68_high', [
    'INTERVAL_REVERSED',
  ]),
  value('one estimate of eight missing', inRow(5, 'NULL', 'bpz_z_mode'), ['ESTIMATE_PARTIAL']),
  value('a missing estimate without a flag', '0::INTEGER AS bpz_flags', ['ESTIMATE_UNEXPLAINED']),
  value('negative flags', inRow(5, '-1', 'bpz_flags'), ['FLAGS_INVALID']),
  value('an estimate without flags', inRow(5, 'NULL', 'bpz_flags'), ['FLAGS_INVALID']),
];

export const DAMAGES: readonly Damage[] = [...onTheWay, ...frames, ...smallFiles, ...thumbnails, ...rows];

/** Those that show a code for the first time. */
export function firstOfTheirCode(damages: readonly Damage[]): ReadonlySet<Damage> {
  const shown = new Set<FindingCode>();
  return new Set(
    damages.filter(({ codes }) => {
      const known = shown.size;
      for (const code of codes) shown.add(code);
      return shown.size > known;
    }),
  );
}
