import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** A walk over a work's files asks the shared file system once per file, so a figure serves for a while. */
const FRESH_MILLISECONDS = 30_000;

/** What folders take of scratch. */
export class ScratchUsage {
  readonly #known = new Map<string, { readonly at: number; readonly bytes: number }>();

  /** @param when `now`: whatever was found before, and without keeping it. */
  bytesBelow(folder: string, when: { readonly now: boolean }): number {
    if (when.now) return bytesBelow(folder);
    const now = performance.now();
    for (const [path, { at }] of this.#known) if (now - at > FRESH_MILLISECONDS) this.#known.delete(path);
    const known = this.#known.get(folder) ?? { at: now, bytes: bytesBelow(folder) };
    this.#known.set(folder, known);
    return known.bytes;
  }
}

/** Zero of what is not there, or goes away meanwhile. */
function bytesBelow(folder: string): number {
  try {
    return readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
      const path = join(folder, entry.name);
      return sum + (entry.isDirectory() ? bytesBelow(path) : lstatSync(path).size);
    }, 0);
  } catch {
    return 0;
  }
}
