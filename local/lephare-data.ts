import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { AncillaryDescription } from '#core/ancillary.ts';
import { ensureLephareArchive } from '#local/lephare-archive.ts';
import { ensureRailEnvironment } from '#local/rail-environment.ts';

/**
 * `npm run lephare-data [-- FOLDER]`: LePHARE's data folder as one archive, with the description that
 * `ponte ancillary register` takes, in FOLDER or in dist/ (docs/algorithms.md).
 */
const root = join(import.meta.dirname, '..');
const folder = resolve(process.argv[2] ?? join(root, 'dist'));
const log = (line: string) => console.error(line);
const home = process.env.PONTE_PYTHON_HOME ?? process.env.PONTE_HOME ?? join(root, '.ponte');
const { python } = await ensureRailEnvironment({ home, log });
const { path, sha256 } = await ensureLephareArchive({ home, python, folder, log });
const description: AncillaryDescription = {
  version: 1,
  file: 'lephare-data.tar',
  name: 'lephare-data-packages',
  kind: 'templates',
  title: 'Data folder of LePHARE 1.0.0 from packages: LSST filters, 31 COSMOS galaxies, Calzetti extinction, one star',
  source:
    'tests/data of the source package lephare 1.0.0 and SED of pz-rail-base 2.0.11, packed by npm run lephare-data',
  licence: 'MIT',
};
const registration = join(folder, 'lephare-data.json');
await writeFile(registration, `${JSON.stringify(description, null, 2)}\n`);
console.log(`${path}\n  sha256 ${sha256}\n  next: npx ponte ancillary register ${registration}`);
