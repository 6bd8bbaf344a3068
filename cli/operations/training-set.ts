import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { parquetRelation, quoteLiteral, withDatabase } from '#adapters/duckdb.ts';
import { fileDigest } from '#adapters/file-digest.ts';
import { CUT_COLUMNS, parseCut } from '#core/cut.ts';
import type { Digest } from '#core/digest.ts';
import { InputError } from '#core/errors.ts';

/** What a training set's cut may speak of: that of a recipe, and the redshift. */
const COLUMNS = [...CUT_COLUMNS, 'redshift'];

const countRow = z.object({ rows: z.bigint() });

/**
 * Shows `use` the training set as it is, or what a cut leaves of it, in the order that it has. Equal file and cut give
 * equal bytes.
 * @throws {InputError} `TRAINING_SET_MISSING`, `TRAINING_CUT_INVALID`
 */
export async function withTrainingSet<T>(
  path: string,
  cut: string | undefined,
  use: (path: string, digest: Digest) => Promise<T>,
): Promise<{ readonly used: T; readonly published: Digest }> {
  const published = await fileDigest(path).catch((cause: unknown) => {
    throw new InputError(`the training set ${path} cannot be read`, {
      code: 'TRAINING_SET_MISSING',
      hint: 'Its path is taken from the folder of the registration file.',
      cause,
    });
  });
  if (cut === undefined) return { used: await use(path, published), published };
  const parsed = parseCut(cut, COLUMNS);
  if (!parsed.ok) throw refused(`the cut of the training set cannot be read: ${parsed.problem}`);
  const folder = await mkdtemp(join(tmpdir(), 'ponte-training-'));
  const kept = join(folder, 'training.parquet');
  try {
    await withDatabase({ threads: 1, temporaryFolder: folder }, async (database) => {
      try {
        await database.run(
          `COPY (SELECT * FROM ${parquetRelation([path])} WHERE ${parsed.sql}) TO ${quoteLiteral(kept)}
           (FORMAT parquet, COMPRESSION zstd)`,
        );
      } catch (error) {
        const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
        throw refused(`the cut of the training set cannot be followed: ${reason}`);
      }
      const [left] = z
        .array(countRow)
        .parse(await database.rows(`SELECT count(*) AS rows FROM ${parquetRelation([kept])}`));
      if (left?.rows === 0n) throw refused(`the cut "${cut}" keeps no row of the training set`);
    });
    return { used: await use(kept, await fileDigest(kept)), published };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const refused = (message: string) =>
  new InputError(message, {
    code: 'TRAINING_CUT_INVALID',
    hint: `Mend trainingCut in the registration; it may speak of ${COLUMNS.join(', ')}, as far as the file has them.`,
  });
