import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's folder. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** The folder with everything a run leaves on this machine; `PONTE_HOME` names another one. */
export function ponteHome(): string {
  return resolve(process.env.PONTE_HOME ?? join(ROOT, '.ponte'));
}

/** Where Python environments live: below the home, unless `PONTE_PYTHON_HOME` names a place that several homes share. */
export function pythonHome(): string {
  return resolve(process.env.PONTE_PYTHON_HOME ?? ponteHome());
}
