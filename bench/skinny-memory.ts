import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { withDatabase } from '#adapters/duckdb.ts';
import type { Bench, BenchRun } from '#bench/bench.ts';
import { measure } from '#bench/paired.ts';
import { unwanted } from '#bench/skinny/unwanted.ts';
import { writeSurveyChunk } from '#test/fixtures/survey-chunk.ts';

const ROWS = 12_000_000;
const COLUMNS = 138;
/** What `infra/intake.ts` gives the function that looks at a chunk. */
const FUNCTION = { memoryMiB: 1536, diskGiB: 10 } as const;

/** `npm run bench -- skinny-memory [ROWS]` */
export const bench: Bench = {
  summary: `All that the function does with a chunk of ${ROWS} rows and ${COLUMNS} columns: its memory and its disk`,
  minutes: 6,
  run: measureMemory,
};

async function measureMemory({ folder, options, say, figure }: BenchRun): Promise<void> {
  const rows = Number(options[0] ?? ROWS);
  const disk = join(folder, 'disk');
  await mkdir(disk);
  const chunk = join(disk, 'chunk.parquet');
  say(`writing ${rows} rows of ${COLUMNS} columns ...`);
  await withDatabase({ threads: 2, memoryLimit: '4GiB', temporaryFolder: folder }, (database) =>
    writeSurveyChunk(database, chunk, 'lsst-dp1', { rows, without: unwanted(COLUMNS) }),
  );
  const { size } = await stat(chunk);
  say(`checking and deriving ${(size / 2 ** 30).toFixed(1)} GiB ...`);
  let fullest = 0;
  const watch = setInterval(() => {
    void sizeOf(disk).then((bytes) => {
      fullest = Math.max(fullest, bytes);
    });
  }, 250);
  try {
    const script = join(import.meta.dirname, 'skinny', 'look.ts');
    const { peakBytes, cpuSeconds, wallSeconds } = await measure({ argv: [process.execPath, script, chunk, disk] });
    figure({ name: 'chunk', value: size / 2 ** 30, unit: 'GiB', better: 'higher', aim: null });
    const memory = peakBytes / 2 ** 20;
    figure({ name: 'peak_memory', value: memory, unit: 'MiB', better: 'lower', aim: FUNCTION.memoryMiB });
    figure({ name: 'peak_disk', value: fullest / 2 ** 30, unit: 'GiB', better: 'lower', aim: FUNCTION.diskGiB });
    figure({ name: 'cpu', value: cpuSeconds, unit: 's', better: 'lower', aim: null });
    figure({ name: 'wall', value: wallSeconds, unit: 's', better: 'lower', aim: null });
  } finally {
    clearInterval(watch);
  }
}

/** Bytes below a folder; files come and go meanwhile. */
async function sizeOf(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(folder, name)).then(
        (found) => (found.isFile() ? found.size : 0),
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, bytes) => sum + bytes, 0);
}
