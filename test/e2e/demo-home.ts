import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { localDown } from '#local/machine.ts';

const REPOSITORY = join(import.meta.dirname, '..', '..');

/** Where installed Python environments are shared between tests and the demo. */
export const pythonHome = join(REPOSITORY, '.ponte');

export const log = (line: string) => console.log(line);

/** A machine of a test's own: its cloud, site and deliveries lie in a folder that goes away with it. */
export class DemoHome {
  readonly home: string;

  private constructor(home: string) {
    this.home = home;
  }

  static async create(): Promise<DemoHome> {
    // The CLI's code reads AWS_* once per process; what an earlier test file set must not take part.
    for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
    return new DemoHome(await mkdtemp(join(tmpdir(), 'ponte-e2e-')));
  }

  async remove(): Promise<void> {
    await localDown({ home: this.home, log });
    await rm(this.home, { recursive: true, force: true, maxRetries: 5 });
  }
}
