import type { IdSample } from '#core/chunk-summary.ts';

export interface SharedIds {
  readonly chunks: readonly [string, string];
  /** Objects that both have: exact where both samples are complete, else estimated. */
  readonly objects: number;
  readonly exact: boolean;
  /** Common ids in the samples: an estimate scatters by about its square root, relatively. */
  readonly sampled: number;
}

/** Hashes that are held at a time; beyond, the sample gets thinner for all. About 300 MB. */
const MOST_HASHES = 2_000_000;

/** Where the hash space ends: 2^64. */
const SPACE = 2 ** 64;
const shareBelow = (hash: string) => Number.parseInt(hash, 16) / SPACE;

/** Finds the objects that several chunks of a release have, from the samples of ids that intake left. */
export class SharedIdFinder {
  readonly #owners = new Map<string, string[]>();
  readonly #samples = new Map<string, { readonly last: string | null; readonly complete: boolean }>();
  readonly #most: number;
  /** Only hashes below it are held; null: all. */
  #limit: string | null = null;

  constructor(most = MOST_HASHES) {
    this.#most = most;
  }

  add(chunk: string, { hashes, complete }: IdSample): void {
    this.#samples.set(chunk, { last: hashes.at(-1) ?? null, complete });
    for (const hash of hashes) {
      if (this.#limit !== null && hash >= this.#limit) break;
      const owners = this.#owners.get(hash);
      if (owners) owners.push(chunk);
      else this.#owners.set(hash, [chunk]);
    }
    if (this.#owners.size > this.#most) this.#thin();
  }

  /** Pairs of chunks with common objects, most first. */
  pairs(): readonly SharedIds[] {
    const sampled = new Map<string, { pair: [string, string]; hashes: string[] }>();
    for (const [hash, owners] of this.#owners) {
      for (const [index, a] of owners.entries()) {
        for (const b of owners.slice(index + 1)) {
          const pair: [string, string] = a < b ? [a, b] : [b, a];
          const found = sampled.get(pair.join('\n'));
          if (found) found.hashes.push(hash);
          else sampled.set(pair.join('\n'), { pair, hashes: [hash] });
        }
      }
    }
    const all = [...sampled.values()].map(({ pair, hashes }) => this.#estimate(pair, hashes));
    return all.sort((a, b) => b.objects - a.objects || (a.chunks.join() < b.chunks.join() ? -1 : 1));
  }

  /** Below the lowest of the last hashes both samples are whole: so many there stand for all. */
  #estimate(chunks: [string, string], hashes: readonly string[]): SharedIds {
    const limits = chunks.flatMap((chunk) => {
      const sample = this.#samples.get(chunk);
      return sample && !sample.complete && sample.last !== null ? [sample.last] : [];
    });
    if (this.#limit !== null) limits.push(this.#limit);
    const limit = limits.sort()[0];
    if (limit === undefined) return { chunks, objects: hashes.length, exact: true, sampled: hashes.length };
    const below = hashes.filter((hash) => hash <= limit).length;
    return { chunks, objects: Math.round(below / shareBelow(limit)), exact: false, sampled: below };
  }

  #thin(): void {
    const hashes = [...this.#owners.keys()].sort();
    const limit = hashes[Math.floor(hashes.length / 2)] ?? null;
    this.#limit = limit;
    for (const hash of hashes) if (limit !== null && hash >= limit) this.#owners.delete(hash);
  }
}
