import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Examination, examineChunk } from '#adapters/chunk-examiner.ts';
import { type Database, withDatabase } from '#adapters/duckdb.ts';
import { writeSkinnyParts } from '#adapters/skinny-writer.ts';
import { type Digest, sha256 } from '#core/digest.ts';
import type { ChunkExpectation } from '#core/integrity.ts';
import type { Profile } from '#core/profile.ts';
import { quoteIdentifier, quoteLiteral } from '#core/sql.ts';
import { profileNamed, recipeNamed, SURVEYS, type Survey, writeSurveyChunk } from '#test/fixtures/survey-chunk.ts';

const ROWS = 400;

/** What one damaged file came to. */
export interface CaseResult {
  readonly number: number;
  readonly survey: Survey;
  readonly mutation: string;
  /** With the publisher's manifest: `CODE` of each finding, or `accepted`. */
  readonly known: string;
  /** Without any digest: the codes it is refused with. */
  readonly unknown: string;
  /** Likewise, after a person vouched for it: or `accepted, same` when what is derived is what the sound file gives. */
  readonly vouched: string;
  readonly milliseconds: number;
  /** What must not be: a crash is noticed from outside. */
  readonly wrong: readonly string[];
}

/** Numbers in 0..1 that derive from the case's number alone. */
class Dice {
  readonly #seed: string;
  #count = 0;

  constructor(seed: string) {
    this.#seed = seed;
  }

  /** A whole number from 0 to `below` - 1. */
  roll(below: number): number {
    this.#count += 1;
    const hash = createHash('sha256').update(`${this.#seed}#${this.#count}`).digest();
    return Number(hash.readBigUInt64BE() % BigInt(Math.max(below, 1)));
  }
}

interface Damage {
  readonly name: string;
  /** How often among 100. */
  readonly weight: number;
  readonly bytes?: (sound: Buffer, dice: Dice) => Buffer;
  /** SQL over the sound file, for files that are whole and wrong. */
  readonly sql?: (source: string, profile: Profile, dice: Dice) => string;
  /** The publisher's manifest lists other bytes, or another number of rows, for the sound file. */
  readonly manifest?: (dice: Dice) => { readonly sha256?: Digest; readonly rows?: number };
  /** The code that it must be refused with, also where no digest is known. */
  readonly code?: string;
}

const footerStart = (file: Buffer) => file.length - 8 - file.readUInt32LE(file.length - 8);

function flipped(file: Buffer, from: number, to: number, bits: number, dice: Dice): Buffer {
  const copy = Buffer.from(file);
  for (let bit = 0; bit < bits; bit += 1) {
    const at = from + dice.roll(to - from);
    copy[at] = (copy[at] ?? 0) ^ (1 << dice.roll(8));
  }
  return copy;
}

const replaced = (column: string, sql: string) => (source: string) =>
  `SELECT * REPLACE (${sql} AS ${quoteIdentifier(column)}) FROM ${source}`;
const bandOf = (profile: Profile, dice: Dice) => {
  const bands = Object.values(profile.bands);
  return bands[dice.roll(bands.length)] ?? { value: '', error: '' };
};

const DAMAGES: readonly Damage[] = [
  { name: 'a bit of a page', weight: 20, bytes: (file, dice) => flipped(file, 4, footerStart(file), 1, dice) },
  {
    name: 'bits of pages',
    weight: 10,
    bytes: (file, dice) => flipped(file, 4, footerStart(file), 1 + dice.roll(40), dice),
  },
  {
    name: 'a bit of the footer',
    weight: 20,
    bytes: (file, dice) => flipped(file, footerStart(file), file.length, 1, dice),
  },
  {
    name: 'bits of the footer',
    weight: 8,
    bytes: (file, dice) => flipped(file, footerStart(file), file.length, 2 + dice.roll(20), dice),
  },
  { name: 'cut off', weight: 8, bytes: (file, dice) => file.subarray(0, dice.roll(file.length)) },
  { name: 'begun late', weight: 3, bytes: (file, dice) => file.subarray(1 + dice.roll(file.length - 1)) },
  {
    name: 'a hole of zeros',
    weight: 6,
    bytes: (file, dice) => {
      const from = dice.roll(file.length);
      return Buffer.from(file).fill(0, from, Math.min(from + 1 + dice.roll(4096), file.length));
    },
  },
  {
    name: 'another length of the footer',
    weight: 3,
    bytes: (file, dice) => {
      const copy = Buffer.from(file);
      copy.writeUInt32LE(dice.roll(2 ** 32), file.length - 8);
      return copy;
    },
  },
  { name: 'noise', weight: 2, bytes: (file, dice) => Buffer.from(file.map(() => dice.roll(256))).subarray(0, 2000) },
  { name: 'empty', weight: 1, bytes: () => Buffer.alloc(0), code: 'NOT_PARQUET' },
  { name: 'two files in one', weight: 1, bytes: (file) => Buffer.concat([file, file]) },
  {
    name: 'rows twice',
    weight: 2,
    sql: (source, _profile, dice) =>
      `SELECT * FROM ${source} UNION ALL (SELECT * FROM ${source} LIMIT ${1 + dice.roll(50)})`,
    code: 'ID_DUPLICATE',
  },
  { name: 'no row', weight: 1, sql: (source) => `SELECT * FROM ${source} LIMIT 0`, code: 'EMPTY' },
  {
    name: 'id and ra swapped',
    weight: 2,
    sql: (source, { id, ra }) =>
      `SELECT * REPLACE (${quoteIdentifier(ra)} AS ${quoteIdentifier(id)}, ${quoteIdentifier(id)} AS ${quoteIdentifier(ra)}) FROM ${source}`,
    code: 'COLUMN_TYPE',
  },
  {
    name: 'ra and dec swapped',
    weight: 1,
    sql: (source, { ra, dec }) =>
      `SELECT * REPLACE (${quoteIdentifier(ra)} AS ${quoteIdentifier(dec)}, ${quoteIdentifier(dec)} AS ${quoteIdentifier(ra)}) FROM ${source}`,
  },
  {
    name: 'two bands swapped',
    weight: 1,
    sql: (source, { bands: { g, i } }) => {
      const [a, b] = [g?.value ?? '', i?.value ?? ''].map(quoteIdentifier);
      return `SELECT * REPLACE (${a} AS ${b}, ${b} AS ${a}) FROM ${source}`;
    },
  },
  {
    name: "another file's digest in the manifest",
    weight: 2,
    manifest: (dice) => ({ sha256: sha256(`${dice.roll(2 ** 32)}`) }),
  },
  {
    name: 'another number of rows in the manifest',
    weight: 2,
    manifest: (dice) => ({ rows: ROWS + 1 + dice.roll(1000) }),
  },
  {
    name: 'a value as text',
    weight: 2,
    sql: (source, profile, dice) => {
      const { value } = bandOf(profile, dice);
      return replaced(value, `${quoteIdentifier(value)}::VARCHAR`)(source);
    },
    code: 'COLUMN_TYPE',
  },
  {
    name: 'a value as list',
    weight: 1,
    sql: (source, profile, dice) => {
      const { error } = bandOf(profile, dice);
      return replaced(error, `[${quoteIdentifier(error)}]`)(source);
    },
    code: 'COLUMN_TYPE',
  },
  {
    name: 'a column missing',
    weight: 2,
    sql: (source, { ra }) => `SELECT * EXCLUDE (${quoteIdentifier(ra)}) FROM ${source}`,
    code: 'COLUMN_MISSING',
  },
  {
    name: 'a declination of radians of a turn',
    weight: 1,
    sql: (source, { dec }) => replaced(dec, `${quoteIdentifier(dec)} * 57.3`)(source),
    code: 'COORDINATES',
  },
  {
    name: 'an id missing',
    weight: 1,
    sql: (source, { id, ra }) =>
      replaced(id, `CASE WHEN ${quoteIdentifier(ra)} > 60 THEN ${quoteIdentifier(id)} END`)(source),
    code: 'ID_NULL',
  },
  {
    name: 'values in another unit',
    weight: 2,
    sql: (source, profile) => {
      const { value, error } = profile.bands.r ?? { value: '', error: '' };
      const [v, e] = [value, error].map(quoteIdentifier);
      const change = profile.kind === 'flux' ? `${v} * 1e-9 AS ${v}, ${e} * 1e-9 AS ${e}` : `${v} * 10 AS ${v}`;
      return `SELECT * REPLACE (${change}) FROM ${source}`;
    },
    code: 'MAGNITUDE_RANGE',
  },
  {
    // 400,000 rows that take a few kilobytes.
    name: 'more than it looks',
    weight: 1,
    sql: (source) => `SELECT t.* FROM ${source} AS t, range(1000)`,
    code: 'ID_DUPLICATE',
  },
];

const TOTAL = DAMAGES.reduce((sum, { weight }) => sum + weight, 0);

function damageFor(dice: Dice): Damage {
  let left = dice.roll(TOTAL);
  for (const damage of DAMAGES) {
    left -= damage.weight;
    if (left < 0) return damage;
  }
  throw new RangeError('the weights do not add up');
}

type ManifestLine = NonNullable<ChunkExpectation['manifest']>;

interface Sound {
  readonly bytes: Buffer;
  readonly path: string;
  readonly profile: Profile;
  /** Digest of the skinny parts. */
  readonly meaning: string;
}

const recipe = { ...recipeNamed('skinny'), maxRowsPerPart: 150 };

/** Holds one sound chunk per survey in `folder`, and damages copies of them. */
export class MutationCampaign {
  readonly #folder: string;
  readonly #sound: ReadonlyMap<Survey, Sound>;

  private constructor(folder: string, sound: ReadonlyMap<Survey, Sound>) {
    this.#folder = folder;
    this.#sound = sound;
  }

  static async open(folder: string): Promise<MutationCampaign> {
    await mkdir(folder, { recursive: true });
    const sound = new Map<Survey, Sound>();
    for (const survey of SURVEYS) {
      const path = join(folder, `${survey}.parquet`);
      const profile = profileNamed(survey);
      const meaning = await withDatabase({ threads: 1 }, async (database) => {
        await writeSurveyChunk(database, path, survey, { rows: ROWS, narrow: true });
        return derive(database, path, join(folder, 'sound'), profile);
      });
      if (meaning === null) throw new Error(`the sound chunk of ${survey} cannot be read`);
      sound.set(survey, { bytes: await readFile(path), path, profile, meaning });
    }
    return new MutationCampaign(folder, sound);
  }

  async run(seed: string, number: number): Promise<CaseResult> {
    const dice = new Dice(`${seed}/${number}`);
    const survey = SURVEYS[dice.roll(SURVEYS.length)] ?? 'dc2-rail';
    const sound = this.#sound.get(survey);
    if (!sound) throw new Error(`no sound chunk of ${survey}`);
    const damage = damageFor(dice);
    const own = join(this.#folder, `case-${process.pid}`);
    await rm(own, { recursive: true, force: true });
    await mkdir(own, { recursive: true });
    const path = join(own, 'chunk.parquet');
    await this.#damage(sound, damage, path, dice);
    const manifest = { sha256: sha256(sound.bytes), rows: ROWS, ...damage.manifest?.(dice) };
    const bytes = await readFile(path);
    const started = performance.now();
    const known = await this.#look(sound, path, bytes, 'known', manifest);
    const unknown = await this.#look(sound, path, bytes, 'unknown', manifest);
    const vouched = await this.#look(sound, path, bytes, 'vouched', manifest);
    const milliseconds = Math.round(performance.now() - started);
    const left = (await readdir(own)).filter((name) => name !== 'chunk.parquet' && name !== 'parts-vouched');
    await rm(own, { recursive: true, force: true });
    const changed = sha256(bytes) !== sha256(sound.bytes);
    const wrong = [
      ...(changed && known.startsWith('accepted') ? ['another content than the published one was accepted'] : []),
      ...(unknown.startsWith('accepted') ? ['accepted although nobody said which bytes were meant'] : []),
      ...(damage.manifest && !/^(MANIFEST|ROWS)_MISMATCH$/.test(known)
        ? ['a file that the manifest does not mean was not refused so']
        : []),
      ...(!changed && !damage.manifest && known !== 'accepted, same' ? ['the published content was refused'] : []),
      ...(damage.code && !unknown.includes(damage.code) ? [`not refused with ${damage.code}`] : []),
      ...(changed && left.length > 0 ? [`left ${left.join(', ')}`] : []),
    ];
    return { number, survey, mutation: damage.name, known, unknown, vouched, milliseconds, wrong };
  }

  async #damage(sound: Sound, { bytes, sql, manifest }: Damage, path: string, dice: Dice): Promise<void> {
    if (manifest) return writeFile(path, sound.bytes);
    if (bytes) return writeFile(path, bytes(sound.bytes, dice));
    const source = `read_parquet(${quoteLiteral(sound.path)})`;
    const query = sql ? sql(source, sound.profile, dice) : `SELECT * FROM ${source}`;
    await withDatabase({ threads: 1 }, (database) =>
      database.run(`COPY (${query}) TO ${quoteLiteral(path)} (FORMAT parquet, COMPRESSION zstd)`),
    );
  }

  /** As intake looks at it, in the memory that intake has. */
  async #look(
    sound: Sound,
    path: string,
    bytes: Buffer,
    as: 'known' | 'unknown' | 'vouched',
    line: ManifestLine,
  ): Promise<string> {
    const file = { path, sha256: sha256(bytes), sizeBytes: bytes.length };
    const manifest = as === 'known' ? line : null;
    const folder = `${path.slice(0, -'chunk.parquet'.length)}parts-${as}`;
    return withDatabase({ threads: 1, memoryLimit: '700MiB' }, async (database) => {
      const examined: Examination = await examineChunk(
        database,
        file,
        { declaredSha256: null, manifest },
        sound.profile,
        as === 'vouched' ? ['UNVERIFIED'] : [],
      );
      if (examined.kind === 'refused') return examined.findings.map(({ code }) => code).join(' ');
      const meaning = await derive(database, path, folder, examined.source.profile);
      if (meaning === null) return 'NOT_PARQUET';
      return meaning === sound.meaning ? 'accepted, same' : 'accepted, different';
    });
  }
}

/** One digest over the skinny parts; null when the file turns out to be unreadable. */
async function derive(database: Database, path: string, folder: string, profile: Profile): Promise<string | null> {
  await mkdir(folder, { recursive: true });
  const derived = await writeSkinnyParts(database, path, folder, profile, recipe);
  if (derived.kind === 'unreadable') return null;
  const digests = await Promise.all(derived.files.map(async (part) => sha256(await readFile(part.path))));
  return sha256(digests.join());
}
