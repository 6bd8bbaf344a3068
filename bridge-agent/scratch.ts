import { closeSync, fsyncSync, openSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeFolder } from '#adapters/folder.ts';
import type { Work } from '#adapters/journal-rows.ts';
import { ScratchUsage } from '#bridge-agent/scratch-usage.ts';
import type { Digest } from '#core/digest.ts';
import type { ObjectRef } from '#core/job.ts';

/** Extensions that the worker's readers and a person's eye rely on; anything else is just data. */
const EXTENSION = /\.(parquet|pkl|json)$/;

/**
 * Where things lie on scratch, the file system that the agent's host shares with the compute nodes:
 * `cache/{sha256}.ext` for models, training sets and ancillary files, which many works read, and `work/{workKey}/{round}/` for the rest.
 */
export class Scratch {
  readonly root: string;
  readonly #usage = new ScratchUsage();

  constructor(root: string) {
    this.root = root;
  }

  get cacheFolder(): string {
    return join(this.root, 'cache');
  }

  cached({ key, sha256 }: ObjectRef): string {
    return join(this.cacheFolder, `${sha256}${EXTENSION.exec(key)?.[0] ?? ''}`);
  }

  /** The folder of all rounds of a work. */
  allRounds(workKey: Digest): string {
    return join(this.root, 'work', workKey);
  }

  /**
   * What the works take, inputs and outputs, as of half a minute ago at most, or as of now while they are being staged. The
   * cache, which serves them all, is not counted.
   */
  usedMegabytes(works: readonly Pick<Work, 'work_key' | 'state'>[]): number {
    const bytes = works.map(({ work_key, state }) =>
      this.#usage.bytesBelow(this.allRounds(work_key), { now: state === 'received' }),
    );
    return bytes.reduce((sum, one) => sum + one, 0) / 1e6;
  }

  folder({ work_key, round }: Pick<Work, 'work_key' | 'round'>): WorkFolder {
    return new WorkFolder(join(this.allRounds(work_key), String(round)));
  }
}

/** One round of one work. The job side (bridge-agent/job/job.py) reads the same layout. */
export class WorkFolder {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  create(): void {
    for (const name of ['tasks', 'exit', 'claims', 'inputs', 'logs']) {
      makeFolder(join(this.root, name));
    }
  }

  get runFile(): string {
    return join(this.root, 'run.json');
  }

  /** Touched at each renewal of the site's lease; the job side ends when it grows old. */
  get leaseFile(): string {
    return join(this.root, 'lease');
  }

  get exitFolder(): string {
    return join(this.root, 'exit');
  }

  get claimsFolder(): string {
    return join(this.root, 'claims');
  }

  get logFolder(): string {
    return join(this.root, 'logs');
  }

  taskFile(task: number): string {
    return join(this.root, 'tasks', `${task}.json`);
  }

  input({ key, sha256 }: ObjectRef): string {
    return join(this.root, 'inputs', `${sha256}${EXTENSION.exec(key)?.[0] ?? ''}`);
  }

  /** A record is final, so a further attempt at the unit gets a name of its own. */
  exitRecordName(unitId: Digest, attempt: number): string {
    return `${unitId}.${attempt}.json`;
  }

  exitRecord(unitId: Digest, attempt: number): string {
    return join(this.exitFolder, this.exitRecordName(unitId, attempt));
  }

  outputFolder(unitId: Digest, attempt: number): string {
    return join(this.root, 'output', `${unitId}.${attempt}`);
  }
}

/** Replaces a JSON file so that a reader, and a power cut, see the old or the new text and nothing between. */
export function writeJsonDurably(path: string, value: unknown): void {
  makeFolder(dirname(path));
  const draft = `${path}.tmp`;
  const file = openSync(draft, 'w');
  try {
    writeFileSync(file, JSON.stringify(value));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(draft, path);
}
