import { ruleFor, type Severity, VALUE_CHECK_NAMES } from '#core/checks.ts';
import type { Digest } from '#core/digest.ts';
import { neededColumns, optionalColumns, type Profile, type WantedColumn } from '#core/profile.ts';

/** What one look at a chunk's bytes and columns found; filled in by an adapter, judged here. */
export interface ChunkFacts {
  readonly sha256: Digest;
  readonly sizeBytes: number;
  /** Null when the file is not readable as Parquet; `reason` then says why. */
  readonly table: TableFacts | null;
  readonly reason: string | null;
}

export interface TableFacts {
  readonly rows: number;
  readonly columns: ReadonlyMap<string, string>;
  /** Null when a column they need is not there or not of its type. */
  readonly keys: {
    /** Rows whose id is null, or beyond 2^63. */
    readonly nullIds: number;
    readonly duplicateIds: number;
    /** Rows whose ra or dec is null, not finite, or outside 0..360 and -90..90 degrees. */
    readonly badCoordinates: number;
  } | null;
}

/** What is known of a chunk from elsewhere. Null where nobody said. */
export interface ChunkExpectation {
  /** The digest its uploader declared beside it. */
  readonly declaredSha256: Digest | null;
  /** The publisher's manifest. */
  readonly manifest: ManifestLine | null;
}

/** What a chunk is refused for whatever its survey says: without it nothing could be derived, or not the right thing. */
export const INTEGRITY_CODES = [
  'DIGEST_MISMATCH',
  'MANIFEST_MISMATCH',
  'NOT_PARQUET',
  'COLUMN_MISSING',
  'COLUMN_TYPE',
  'ROWS_MISMATCH',
  'EMPTY',
  'ID_NULL',
  'ID_DUPLICATE',
  'COORDINATES',
] as const;
export const FINDING_CODES = [...INTEGRITY_CODES, ...VALUE_CHECK_NAMES] as const;
export type FindingCode = (typeof FINDING_CODES)[number];

/** What a check has to say: a code for machines, a sentence for people, and what the sentence is made of. */
export interface Finding {
  readonly code: FindingCode;
  readonly sentence: string;
  /** Without it, it refuses the chunk. */
  readonly severity?: Severity;
  readonly numbers?: Readonly<Record<string, number>>;
  /** A column or a band; nothing where it is the file as a whole. */
  readonly where?: string;
}

export const refuses = (finding: Finding): boolean => (finding.severity ?? 'refuse') === 'refuse';

/** Whether anybody but the file itself says which bytes were meant. */
export const isDigestKnown = ({ declaredSha256, manifest }: ChunkExpectation): boolean =>
  declaredSha256 !== null || manifest !== null;

/**
 * The finding on a file of which no digest is known: a flipped bit in its pages may read as another number.
 * @param waived checks that a person waived for this content; they then only flag it
 */
export function judgeOrigin(
  expected: ChunkExpectation,
  profile: Profile,
  waived: readonly string[],
): readonly Finding[] {
  if (isDigestKnown(expected)) return [];
  const { severity } = ruleFor('UNVERIFIED', profile.checks);
  return [
    {
      code: 'UNVERIFIED',
      sentence: 'neither its uploader nor a manifest says what its digest is, so damage may go unnoticed',
      severity: severity === 'refuse' && waived.includes('UNVERIFIED') ? 'flag' : severity,
    },
  ];
}

/** Refused for nothing but that: once a digest is known, the verdict may be another one. */
export function onlyUnverified(findings: readonly Finding[]): boolean {
  const refusing = findings.filter(refuses);
  return refusing.length > 0 && refusing.every(({ code }) => code === 'UNVERIFIED');
}

/** DuckDB's names; whole names, because a list is `BIGINT[]` and an interval begins with `INT` too. */
const INTEGER_TYPES = /^(U?(TINYINT|SMALLINT|INTEGER|BIGINT))$/;
const NUMBER_TYPES = /^(U?(TINYINT|SMALLINT|INTEGER|BIGINT)|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\))$/;
const LABEL_TYPES = /^(VARCHAR|U?(TINYINT|SMALLINT|INTEGER|BIGINT))$/;
const FLAG_TYPES = /^(BOOLEAN|U?(TINYINT|SMALLINT|INTEGER|BIGINT))$/;

/** The findings that refuse a chunk; none means it is accepted. */
export function judgeChunk(facts: ChunkFacts, expected: ChunkExpectation, profile: Profile): readonly Finding[] {
  const digests = judgeDigests(facts, expected);
  // A file whose bytes are not the publisher's has nothing more to say: its columns would only mislead.
  if (digests.length > 0) return digests;
  if (!facts.table) return [unreadable(facts.reason ?? 'no reason given')];
  return [
    ...judgeColumns(facts.table.columns, profile),
    ...judgeRows(facts.table.rows, expected),
    ...(facts.table.keys ? judgeKeys(facts.table.keys, profile) : []),
  ];
}

/** The finding on a file whose bytes cannot be read, at whichever step that shows. */
export function unreadable(reason: string): Finding {
  return { code: 'NOT_PARQUET', sentence: `the file cannot be read as Parquet: ${reason}` };
}

interface ManifestLine {
  readonly sha256: Digest;
  readonly rows: number;
}

/** Compares a chunk that was already looked at with its line in a manifest that came later. */
export function judgeAgainstManifest(chunk: ManifestLine, line: ManifestLine): readonly Finding[] {
  const digests = judgeManifestDigest(chunk.sha256, line);
  return digests.length > 0 ? digests : judgeManifestRows(chunk.rows, line);
}

function judgeManifestDigest(sha256: Digest, line: ManifestLine): Finding[] {
  if (line.sha256 === sha256) return [];
  return [
    {
      code: 'MANIFEST_MISMATCH',
      sentence: `the bytes have sha256 ${sha256}, but the release's manifest lists ${line.sha256}: the file is damaged or is not the published one`,
    },
  ];
}

function judgeManifestRows(rows: number, line: ManifestLine): Finding[] {
  if (line.rows === rows) return [];
  return [
    {
      code: 'ROWS_MISMATCH',
      sentence: `the file has ${rows} rows, but the release's manifest lists ${line.rows}`,
      numbers: { rows, listed: line.rows },
    },
  ];
}

function judgeDigests(facts: ChunkFacts, expected: ChunkExpectation): Finding[] {
  const findings: Finding[] = [];
  if (expected.declaredSha256 && expected.declaredSha256 !== facts.sha256) {
    findings.push({
      code: 'DIGEST_MISMATCH',
      sentence: `the bytes have sha256 ${facts.sha256}, but the uploader declared ${expected.declaredSha256}: the file was damaged on its way`,
    });
  }
  if (expected.manifest) findings.push(...judgeManifestDigest(facts.sha256, expected.manifest));
  return findings;
}

function judgeColumns(columns: ReadonlyMap<string, string>, profile: Profile): Finding[] {
  const optional = optionalColumns(profile).filter(({ name }) => columns.has(name));
  return [...neededColumns(profile), ...optional].flatMap((wanted) => judgeColumn(columns, profile, wanted));
}

/** Whether the columns that identify and place a row are there and can be queried: else there are no keys to look at. */
export function judgeKeyColumns(columns: ReadonlyMap<string, string>, profile: Profile): Finding[] {
  const keys = [profile.id, profile.ra, profile.dec];
  const wanted = neededColumns(profile).filter(({ name }) => keys.includes(name));
  return wanted.flatMap((column) => judgeColumn(columns, profile, column));
}

const KINDS: Record<WantedColumn['kind'], { readonly types: RegExp; readonly words: string }> = {
  integer: { types: INTEGER_TYPES, words: 'an integer' },
  number: { types: NUMBER_TYPES, words: 'a number' },
  flag: { types: FLAG_TYPES, words: 'a boolean, or an integer that is 0 or 1' },
  label: { types: LABEL_TYPES, words: 'an integer or a text' },
};

function judgeColumn(columns: ReadonlyMap<string, string>, profile: Profile, { name, kind }: WantedColumn): Finding[] {
  const found = columns.get(name);
  if (found === undefined) {
    const sentence = `the column ${name} is missing; profile ${profile.name} needs it`;
    return [{ code: 'COLUMN_MISSING', sentence, where: name }];
  }
  const { types, words } = KINDS[kind];
  if (types.test(found)) return [];
  const sentence = `the column ${name} has type ${found}; profile ${profile.name} needs ${words}`;
  return [{ code: 'COLUMN_TYPE', sentence, where: name }];
}

function judgeRows(rows: number, expected: ChunkExpectation): Finding[] {
  const findings: Finding[] = [];
  if (rows === 0) findings.push({ code: 'EMPTY', sentence: 'the file has no rows' });
  if (expected.manifest) findings.push(...judgeManifestRows(rows, expected.manifest));
  return findings;
}

function judgeKeys(keys: NonNullable<TableFacts['keys']>, profile: Profile): Finding[] {
  const findings: Finding[] = [];
  if (keys.nullIds > 0) {
    findings.push({
      code: 'ID_NULL',
      sentence: `${keys.nullIds} rows have no ${profile.id} of at most 64 bits`,
      numbers: { rows: keys.nullIds },
      where: profile.id,
    });
  }
  if (keys.duplicateIds > 0) {
    findings.push({
      code: 'ID_DUPLICATE',
      sentence: `${keys.duplicateIds} rows repeat a ${profile.id} of this file`,
      numbers: { rows: keys.duplicateIds },
      where: profile.id,
    });
  }
  if (keys.badCoordinates > 0) {
    findings.push({
      code: 'COORDINATES',
      sentence: `${keys.badCoordinates} rows have no usable ${profile.ra}, ${profile.dec} (finite, 0..360 and -90..90 degrees)`,
      numbers: { rows: keys.badCoordinates },
      where: `${profile.ra}, ${profile.dec}`,
    });
  }
  return findings;
}
