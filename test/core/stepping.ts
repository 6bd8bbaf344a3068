import { type Item, keyOf, type Table } from '#core/table.ts';

/** What a killed process sees: nothing, in truth; here its next step fails. */
export class Killed extends Error {
  override readonly name = 'Killed';
}

/**
 * Runs processes one step at a time, in an order that a test chooses, and kills them between any two steps. A step is
 * one call to a service: everything between two calls happens at once, as nobody can see it.
 */
export class Stepping {
  readonly #waiting: { readonly proceed: () => void; readonly kill: () => void }[] = [];
  #running = 0;
  #idle: (() => void) | null = null;

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Starts a process; `step` is what it awaits before each of its calls. A killed one ends quietly. */
  start(work: (step: () => Promise<void>) => Promise<void>): void {
    this.#running += 1;
    const step = () =>
      new Promise<void>((resolve, reject) => {
        this.#waiting.push({
          proceed: () => resolve(),
          kill: () => reject(new Killed('killed')),
        });
        this.#pause();
      });
    void work(step)
      .catch((error: unknown) => {
        if (!(error instanceof Killed)) this.#failure ??= error;
      })
      .finally(() => this.#pause());
  }

  #failure: unknown = null;

  /** Lets one waiting process make its next call, or kills it there, and waits until everybody waits again. */
  async advance(choice: number, kill = false): Promise<void> {
    await this.#settled();
    const [next] = this.#waiting.splice(choice % this.#waiting.length, 1);
    if (!next) return;
    this.#running += 1;
    if (kill) next.kill();
    else next.proceed();
    await this.#settled();
    if (this.#failure) throw this.#failure;
  }

  #pause(): void {
    this.#running -= 1;
    if (this.#running === 0) this.#idle?.();
  }

  async #settled(): Promise<void> {
    while (this.#running > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
  }
}

/** A table whose every call is a step. */
export function steppingTable(table: Table, step: () => Promise<void>): Table {
  return {
    get: async (key) => {
      await step();
      return table.get(key);
    },
    query: async (pk, prefix, page) => {
      await step();
      return table.query(pk, prefix, page);
    },
    write: async (writes) => {
      await step();
      return table.write(writes);
    },
  };
}

/** A table that shows every row that a write changes, as it was and as it is. */
export function watchedTable(table: Table, see: (before: Item | null, after: Item | null) => void): Table {
  return {
    get: (key) => table.get(key),
    query: (pk, prefix, page) => table.query(pk, prefix, page),
    write: async (writes) => {
      const before = await Promise.all(writes.map((write) => table.get(keyOf(write))));
      const outcome = await table.write(writes);
      const after = await Promise.all(writes.map((write) => table.get(keyOf(write))));
      for (const [index, row] of after.entries()) see(before[index] ?? null, row);
      return outcome;
    },
  };
}
