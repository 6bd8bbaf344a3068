import { rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { bringFile } from '#adapters/bring-file.ts';
import { writeManifest } from '#adapters/hats-manifest.ts';
import type { Cloud } from '#cli/context.ts';
import { archivedParts } from '#core/archive.ts';
import { readCampaign, readPlannedRelease } from '#core/campaign-book.ts';
import { InputError } from '#core/errors.ts';
import { MANIFEST } from '#core/hats/layout.ts';
import type { ManifestFile } from '#core/hats/manifest.ts';

export interface FetchedArchive {
  readonly folder: string;
  readonly files: number;
  readonly sizeBytes: number;
  /** Parts whose estimates came without (`withoutArchive`, `pointEstimates`). */
  readonly without: number;
}

/** Which chunk and part each file is of. */
const LIST = 'parts.csv';
/** For `sha256sum -c`. */
const SUMS = 'SHA256SUMS';

/**
 * Brings RAIL's own p(z) of a campaign to a folder, `{algorithm}/{partId}.hdf5` as qp reads them, each checked against its
 * digest, with a list of what they are of and a manifest, so that the folder can be delivered like a table. Interrupted,
 * it goes on where it was; the manifest appears last, so a folder with one is whole.
 *
 * @throws {InputError} `ARCHIVE_MISSING` when the campaign kept none.
 */
export async function fetchArchive(
  { table, lake }: Pick<Cloud, 'table'> & { readonly lake: Pick<Cloud['lake'], 'getBytes' | 'getFile' | 'list'> },
  campaign: string,
  target: string,
  onFile: (done: number, doneBytes: number) => void = () => {},
): Promise<FetchedArchive> {
  const row = await readCampaign(table, campaign);
  const { spec } = (await readPlannedRelease(table, row.release, row.planDigest)).release;
  const folder = resolve(target);
  const known: ManifestFile[] = [];
  const lines = ['algorithm,chunk,part,partId,rows,skinnySha256,path,sha256'];
  let [without, rows, sizeBytes] = [0, 0, 0];
  for await (const { algorithm, chunk, part, object } of archivedParts(table, lake, spec, campaign)) {
    if (!object) {
      without += 1;
      continue;
    }
    const file = { path: `${algorithm}/${part.partId}.hdf5`, sha256: object.sha256, sizeBytes: object.sizeBytes };
    await bringFile(lake, object, join(folder, file.path));
    known.push(file);
    lines.push(
      [algorithm, chunk, part.index, part.partId, part.rows, part.skinny.sha256, file.path, file.sha256].join(),
    );
    rows += algorithm === spec.campaign.algorithms[0] ? part.rows : 0;
    sizeBytes += file.sizeBytes;
    onFile(known.length, sizeBytes);
  }
  if (known.length === 0) throw missing(campaign, without);
  await rm(join(folder, MANIFEST), { force: true });
  await writeFile(join(folder, LIST), `${lines.join('\n')}\n`);
  await writeFile(join(folder, SUMS), known.map(({ sha256, path }) => `${sha256}  ${path}\n`).join(''));
  const collection = `${row.release}_photoz_archive`.replaceAll(/[^a-z0-9_]/g, '_');
  const about = { release: row.release, campaign, content: "RAIL's own p(z), qp HDF5; parts.csv says of what" };
  await writeManifest(folder, { collection, rows, about, known });
  return { folder, files: known.length, sizeBytes, without };
}

function missing(campaign: string, without: number): InputError {
  return new InputError(`the campaign ${campaign} has no archive; ${without} parts have estimates`, {
    code: 'ARCHIVE_MISSING',
    hint:
      without > 0
        ? 'Register the release with campaign.archive: true; its estimates are then made again.'
        : 'Wait for its estimates.',
  });
}
