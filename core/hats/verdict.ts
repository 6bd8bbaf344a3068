import { z } from 'zod';

/** What the verifier can find. Each code is one kind of damage; the sentence of a finding says more. */
export const FINDING_CODES = {
  MANIFEST_MISSING: 'there is no manifest to compare with',
  MANIFEST_UNREADABLE: 'the manifest is not one',
  MANIFEST_REPLACED: 'the manifest is not the one that was recorded',
  MANIFEST_ROWS: 'the manifest counts other rows',
  FILE_MISSING: 'a file of the manifest is not there',
  FILE_SIZE: 'a file has another size than the manifest says',
  FILE_DIGEST: 'a file has other bytes than the manifest says',
  FILE_STRAY: 'a file does not belong to the collection',
  COLLECTION_UNREADABLE: 'collection.properties is missing or incomplete',
  PART_NOT_CHECKED: 'the collection names a catalogue that this verifier cannot check',
  PROPERTIES_UNREADABLE: 'the catalogue has no usable properties',
  PROPERTIES_DIFFER: 'the two copies of the properties differ',
  PROPERTIES_COLUMN: 'the properties name a column that is not there',
  ROWS_DECLARED: 'hats_nrows is not the number of rows',
  ROWS_EXPECTED: 'the catalogue has other rows than expected',
  PARTITIONS_LISTED: 'partition_info.csv and the leaves differ',
  PARTITIONS_OVERLAP: 'one leaf lies inside another',
  LEAF_FRAME: 'a leaf is not a whole Parquet file',
  LEAF_SCHEMA: 'a leaf has other columns, types or metadata than the others',
  LEAF_UNREADABLE: 'the rows of a leaf cannot be read',
  LEAF_ROWS: 'a leaf holds other rows than its footer says',
  COLUMNS_UNEXPECTED: 'the columns are not those of a photo-z table',
  METADATA_DIFFERS: '_metadata is not what the leaves give',
  COMMON_METADATA_DIFFERS: '_common_metadata is not what the leaves give',
  MAP_DIFFERS: 'a sky map is not what the rows give',
  THUMBNAIL_DIFFERS: 'data_thumbnail.parquet is not the first row of each leaf, in their order',
  KEY_MISSING: 'a row has no id, coordinate or index',
  ROW_OUTSIDE_PIXEL: 'a row lies outside the pixel of its leaf',
  ROWS_UNSORTED: 'rows are not in the order of index and id',
  INDEX_WRONG: 'an index is not that of the coordinates',
  ID_NOT_UNIQUE: 'an objectId occurs more than once',
  VALUE_NOT_FINITE: 'an estimate is not a finite number',
  VALUE_OUT_OF_RANGE: 'an estimate is outside the range of redshifts, or odds are no probability',
  INTERVAL_REVERSED: 'the ends of an interval are in the wrong order',
  ESTIMATE_PARTIAL: 'only some of the estimates of an algorithm are there',
  ESTIMATE_UNEXPLAINED: 'an estimate is missing and no flag says why',
  TEMPLATE_INVALID: 'the best template is no number of one, or stands without an estimate',
  FLAGS_INVALID: 'flags are not a bit mask, or are missing beside an estimate',
  PART_ROWS: 'a margin, index or p(z) has other rows than the catalogue gives',
  MARGIN_INCOMPLETE: 'a row within the threshold of a partition is not in its margin',
  SCHEMA_DIFFERS: 'felis.yaml is not what the columns give',
  INGEST_DIFFERS: 'ingest.json is not what the leaves give',
  PACKET_DIFFERS: 'a document of the packet is not what its facts, the manifest and the rows give',
  LINK_DIFFERS: 'the file that joins p(z) to the catalogue is not what it should be',
  POSTERIOR_UNLIKE_ESTIMATES: 'p(z) is missing beside an estimate, or there without one',
  POSTERIOR_INVALID: 'p(z) has another length than its grid, or no peak',
  POSTERIOR_PEAK: 'p(z) does not peak where the estimates say',
} as const;
export type FindingCode = keyof typeof FINDING_CODES;

const isCode = (text: string): text is FindingCode => text in FINDING_CODES;

export const findingSchema = z.strictObject({
  code: z.string().refine(isCode),
  /** One sentence: what is wrong, with numbers. */
  sentence: z.string(),
  /** The file, relative to the collection's folder; the empty text for the collection as a whole. */
  where: z.string(),
});
export type Finding = z.infer<typeof findingSchema>;

/** What could not be judged, which says nothing against the collection. */
export interface Note {
  readonly where: string;
  readonly sentence: string;
}

export interface VerifyReport {
  /** True when there is no finding at all. */
  readonly sound: boolean;
  readonly collection: string | null;
  readonly rows: number;
  readonly leaves: number;
  readonly files: number;
  readonly sizeBytes: number;
  readonly findings: readonly Finding[];
  /** How many more findings there were, beyond the first few of a code. */
  readonly suppressed: number;
  readonly notes: readonly Note[];
}

/** A catalogue damaged everywhere needs no list of everywhere. */
const KEPT_PER_CODE = 20;

/** Collects findings, the first few of each code. */
export class Findings {
  readonly kept: Finding[] = [];
  readonly notes: Note[] = [];
  suppressed = 0;
  readonly #counts = new Map<FindingCode, number>();

  add(code: FindingCode, where: string, sentence: string): void {
    const count = (this.#counts.get(code) ?? 0) + 1;
    this.#counts.set(code, count);
    if (count <= KEPT_PER_CODE) this.kept.push({ code, sentence, where });
    else this.suppressed += 1;
  }

  note(where: string, sentence: string): void {
    this.notes.push({ where, sentence });
  }

  addAll(findings: readonly Finding[]): void {
    for (const { code, where, sentence } of findings) this.add(code, where, sentence);
  }
}
