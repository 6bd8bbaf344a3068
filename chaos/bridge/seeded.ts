import { createHash } from 'node:crypto';

/** Numbers that only depend on the seed and on what is asked, never on the order of asking. */
export class Seeded {
  readonly #seed: string;

  constructor(seed: string) {
    this.#seed = seed;
  }

  /** A whole number from 0 to `below` - 1. */
  number(what: string, below: number): number {
    return createHash('sha256').update(`${this.#seed} ${what}`).digest().readUInt32BE() % below;
  }
}
