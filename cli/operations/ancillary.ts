import { basename, dirname, resolve } from 'node:path';
import { healpixMapProblem, tractsProblem } from '#adapters/ancillary-inspector.ts';
import { type Database, withDatabase } from '#adapters/duckdb.ts';
import { fileDigest } from '#adapters/file-digest.ts';
import type { Cloud } from '#cli/context.ts';
import { readJson } from '#cli/operations/read-json.ts';
import {
  type AncillaryDescription,
  type AncillaryRegistered,
  type AncillaryRow,
  ancillaryDescriptionSchema,
  ancillaryFiles,
  ancillaryObjectKey,
  findAncillary,
  recordAncillary,
} from '#core/ancillary.ts';
import { InputError } from '#core/errors.ts';
import type { ObjectStore } from '#core/ports.ts';

type Register = Pick<Cloud, 'table' | 'identity'> & { readonly lake: Pick<ObjectStore, 'putFile'> };

/**
 * Registers a file by its content, from a description beside it: looks at what can be looked at, uploads it, and keeps
 * who did so and when. Again, it changes nothing.
 * @throws {InputError} when the description or the file is wrong, or this content is registered as something else.
 */
export async function registerAncillary(cloud: Register, path: string): Promise<AncillaryRegistered> {
  const description = await readJson(path, ancillaryDescriptionSchema, 'ANCILLARY_INVALID');
  const file = resolve(dirname(resolve(path)), description.file);
  const sha256 = await fileDigest(file).catch((cause: unknown) => {
    throw new InputError(`the ancillary file ${description.file} cannot be read`, {
      code: 'ANCILLARY_MISSING',
      hint: 'Its path is taken from the folder of its description.',
      cause,
    });
  });
  const problem = await withDatabase({}, (database) => problemOf(database, file, description));
  if (problem !== null) {
    throw new InputError(`${description.file} is not what its description says: ${problem}`, {
      code: 'ANCILLARY_UNFIT',
      hint: 'docs/catalogues.md says how such a file has to be; mend the file or its description.',
    });
  }
  const { version: _version, file: _file, ...about } = description;
  const before = await findAncillary(cloud.table, sha256);
  const fileName = basename(file);
  const object = before?.object ?? (await cloud.lake.putFile(ancillaryObjectKey(sha256, fileName), file, sha256));
  return recordAncillary(cloud.table, {
    ...about,
    fileName,
    object,
    registeredAt: new Date().toISOString(),
    registeredBy: await cloud.identity(),
  });
}

async function problemOf(database: Database, file: string, { kind, healpix }: AncillaryDescription) {
  if (kind === 'map' && healpix) return healpixMapProblem(database, file, healpix);
  return kind === 'tracts' ? tractsProblem(database, file) : null;
}

/** Every registered file, by kind and name. */
export async function listAncillary({ table }: Pick<Cloud, 'table'>): Promise<readonly AncillaryRow[]> {
  const rows: AncillaryRow[] = [];
  for await (const row of ancillaryFiles(table)) rows.push(row);
  const order = ({ kind, name, registeredAt }: AncillaryRow) => `${kind} ${name} ${registeredAt}`;
  return rows.sort((a, b) => (order(a) < order(b) ? -1 : 1));
}

/**
 * @param wanted a name, or the first 8 digits or more of a digest.
 * @throws {InputError} `ANCILLARY_UNKNOWN` when none or several answer to it.
 */
export async function findOneAncillary(cloud: Pick<Cloud, 'table'>, wanted: string): Promise<AncillaryRow> {
  const matching = (await listAncillary(cloud)).filter(
    ({ name, object }) => name === wanted || (wanted.length >= 8 && object.sha256.startsWith(wanted)),
  );
  const [only] = matching;
  if (only && matching.length === 1) return only;
  throw new InputError(`${matching.length === 0 ? 'no' : 'more than one'} ancillary file answers to ${wanted}`, {
    code: 'ANCILLARY_UNKNOWN',
    hint:
      matching.length === 0
        ? '`ponte ancillary list` shows what there is.'
        : `Name it by its digest: ${matching.map(({ object }) => object.sha256.slice(0, 12)).join(', ')}`,
  });
}
