import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Work } from '#adapters/journal-rows.ts';
import type { AgentContext } from '#bridge-agent/context.ts';
import type { Digest } from '#core/digest.ts';

/** A walk over a work's files asks the shared file system once per file, so a figure serves for a while. */
const FRESH_MILLISECONDS = 30_000;

/** What works take of scratch, inputs and outputs; what the cache holds for all of them is not counted. */
export class ScratchUsage {
  readonly #known = new Map<Digest, { readonly at: number; readonly bytes: number }>();

  megabytes(works: readonly Work[], { scratch }: Pick<AgentContext, 'scratch'>): number {
    const now = performance.now();
    for (const [workKey, { at }] of this.#known) {
      if (now - at > FRESH_MILLISECONDS) this.#known.delete(workKey);
    }
    const bytes = works.map(({ work_key }) => {
      const known = this.#known.get(work_key)?.bytes ?? bytesBelow(scratch.allRounds(work_key));
      if (!this.#known.has(work_key)) this.#known.set(work_key, { at: now, bytes: known });
      return known;
    });
    return bytes.reduce((sum, one) => sum + one, 0) / 1e6;
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
