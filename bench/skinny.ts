import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { quoteLiteral, withDatabase } from '#adapters/duckdb.ts';
import type { Bench, BenchRun } from '#bench/bench.ts';
import { type Command, inTurn, median, medianRatio } from '#bench/paired.ts';
import { RECIPE } from '#bench/skinny/engine.ts';
import { unwanted } from '#bench/skinny/unwanted.ts';
import { INDEX_COLUMN } from '#core/healpix.ts';
import { ensurePythonEnvironment } from '#local/python-environment.ts';
import { writeSurveyChunk } from '#test/fixtures/survey-chunk.ts';

const ROWS = 1_000_000;
const COLUMNS = 138;
const ROUNDS = 5;
const HERE = join(import.meta.dirname, 'skinny');

/** `npm run bench -- skinny [ROUNDS]` */
export const bench: Bench = {
  summary: `Skinny parts of ${ROWS} objects, against a bare copy of their columns and against pandas`,
  minutes: 3,
  run: measureSkinny,
};

async function measureSkinny({ folder, home, options, say, figure }: BenchRun): Promise<void> {
  const chunk = join(folder, 'chunk.parquet');
  say(`writing ${ROWS} rows of ${COLUMNS} columns ...`);
  await withDatabase({ threads: 2 }, (database) =>
    writeSurveyChunk(database, chunk, 'lsst-dp1', { rows: ROWS, without: unwanted(COLUMNS) }),
  );
  const { python } = await ensurePythonEnvironment({
    name: 'outside',
    lockFile: join(import.meta.dirname, '..', 'test/python/requirements.txt'),
    home,
    log: say,
  });
  const into = async (name: string) => {
    const own = join(folder, name);
    await mkdir(own);
    return [chunk, own] as const;
  };
  const script = async (file: string, name: string, ...more: readonly string[]): Promise<Command> => ({
    argv: [process.execPath, join(HERE, `${file}.ts`), ...(await into(name)), ...more],
  });
  const pandas = join(HERE, 'pandas_skinny.py');
  const commands = {
    copy: await script('copy', 'copy'),
    magnitudes: await script('magnitudes', 'magnitudes'),
    parts: await script('derive', 'parts'),
    partsAndSummary: await script('derive', 'summary', 'summary'),
    start: await script('steps', 'start', 'start'),
    arithmetic: await script('steps', 'arithmetic', 'arithmetic'),
    index: await script('steps', 'index', 'index'),
    table: await script('steps', 'table', 'table'),
    order: await script('steps', 'order', 'order'),
    pandas: { argv: [python, '-W', 'ignore', pandas, ...(await into('pandas')), String(RECIPE.maxRowsPerPart)] },
  } satisfies Record<string, Command>;

  const usage = await inTurn(commands, Number(options[0] ?? ROUNDS), say);

  const cpu = (name: keyof typeof commands) => usage(name).map(({ cpuSeconds }) => cpuSeconds);
  const peak = (name: keyof typeof commands) => median(usage(name).map(({ peakBytes }) => peakBytes)) / 2 ** 20;
  const bytes = { parts: await sizeOf(join(folder, 'parts')), pandas: await sizeOf(join(folder, 'pandas')) };
  const told = { better: 'lower', aim: null } as const;
  const rate = ROWS / median(cpu('parts'));
  figure({ name: 'rows_per_core_second', value: rate, unit: 'rows/s', better: 'higher', aim: null });
  figure({ name: 'peak_memory', value: peak('parts'), unit: 'MiB', ...told });
  figure({ name: 'bytes_out', value: bytes.parts, unit: 'bytes', ...told });
  figure({
    name: 'ratio_to_copy',
    value: medianRatio(cpu('parts'), cpu('copy')),
    unit: 'ratio',
    better: 'lower',
    aim: 1.2,
  });
  const without = medianRatio(cpu('magnitudes'), cpu('copy'));
  figure({ name: 'ratio_to_copy_without_index_and_order', value: without, unit: 'ratio', ...told });
  const withSummary = medianRatio(cpu('partsAndSummary'), cpu('copy'));
  figure({ name: 'ratio_to_copy_with_summary', value: withSummary, unit: 'ratio', ...told });
  const faster = medianRatio(cpu('pandas'), cpu('parts'));
  figure({ name: 'times_as_fast_as_pandas', value: faster, unit: 'ratio', better: 'higher', aim: 2 });
  figure({ name: 'bytes_to_pandas', value: bytes.parts / bytes.pandas, unit: 'ratio', better: 'lower', aim: 0.4 });
  // Where the time goes: what each step adds to the one before it.
  const steps = ['start', 'arithmetic', 'index', 'table', 'order', 'parts'] as const;
  for (const [number, step] of steps.entries()) {
    const before = steps[number - 1];
    const seconds = median(cpu(step)) - (before === undefined ? 0 : median(cpu(before)));
    figure({ name: `cpu_seconds_of_${step}`, value: seconds, unit: 's', ...told });
  }
  const keys = await bytesOfKeys(join(folder, 'parts'));
  figure({ name: 'bytes_of_keys', value: keys, unit: 'bytes', ...told });
  figure({ name: 'cpu_seconds_of_copy', value: median(cpu('copy')), unit: 's', ...told });
  figure({ name: 'pandas_peak_memory', value: peak('pandas'), unit: 'MiB', ...told });
}

/** Bytes of the Parquet files in a folder. */
async function sizeOf(folder: string): Promise<number> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.parquet'));
  const sizes = await Promise.all(files.map(async (name) => (await stat(join(folder, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** What the columns take that are as good as random numbers: id, coordinates and their index. */
async function bytesOfKeys(folder: string): Promise<number> {
  const files = quoteLiteral(join(folder, '*.parquet'));
  const [row] = await withDatabase({}, (database) =>
    database.rows(`SELECT sum(total_compressed_size)::DOUBLE AS bytes FROM parquet_metadata(${files})
      WHERE path_in_schema IN ('objectId', 'ra', 'dec', ${quoteLiteral(INDEX_COLUMN)})`),
  );
  return z.object({ bytes: z.number() }).parse(row).bytes;
}
