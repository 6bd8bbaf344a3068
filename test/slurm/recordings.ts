import { readFileSync } from 'node:fs';
import { parseSacct, parseSbatch, parseSqueue } from '#adapters/slurm-output.ts';
import { lookAtTask, type TaskEvidence } from '#core/reconcile.ts';
import type { SubmitOutcome } from '#core/scheduler.ts';

/** Both ends of what sites run; record.sh made the files with each of them. */
export const VERSIONS = ['22.05.8', '24.11.5'] as const;
export type Version = (typeof VERSIONS)[number];

const read = (name: string) => readFileSync(new URL(`./recorded/${name}`, import.meta.url), 'utf8');
const linesOf = (file: string, name: string) =>
  read(file)
    .split('\n')
    .filter((line) => line.split('|').includes(`ponte-${name}`));

/** The commands of one Slurm, as it answered when jobs fell ill one after the other. */
export class Recordings {
  readonly version: Version;

  constructor(version: Version) {
    this.version = version;
  }

  /**
   * What a look shows of a job: the n-th time that squeue was asked for it (null: it lists it no more), and all that
   * accounting kept of it, or nothing of it, as at a site that keeps no accounts.
   */
  look(name: string, queue: number | null, accounting: 'accounts' | 'none'): TaskEvidence['look'] {
    const queued = queue === null ? '' : (linesOf(`squeue-${this.version}-faults.txt`, name)[queue] ?? '');
    if (queue !== null && queued === '') throw new Error(`squeue was not asked for ${name} so often`);
    const { live, ended } = parseSqueue(queued);
    const accounts = accounting === 'none' ? [] : parseSacct(this.accounts(name).join('\n'));
    const full = `ponte-${name}`;
    return lookAtTask({ kind: 'seen', live, ended: [...ended, ...accounts] }, [full], full, 0);
  }

  /** Lines of sacct. */
  accounts(name: string): readonly string[] {
    return linesOf(`sacct-${this.version}-faults.txt`, name);
  }

  /** Exit status and error text of a command that was asked while the cluster was as `what` says. */
  answer(what: string): { readonly status: number; readonly said: string } {
    const line = read(`sbatch-${this.version}.txt`)
      .split('\n')
      .find((one) => one.startsWith(`${what}|`));
    const [, status = '', ...said] = line?.split('|') ?? [];
    if (line === undefined) throw new Error(`nobody asked about ${what}`);
    return { status: Number(status), said: said.join('|').replaceAll('\\n', '\n') };
  }

  submission(what: string): SubmitOutcome {
    const { status, said } = this.answer(what);
    return parseSbatch(status, status === 0 ? '77\n' : '', said);
  }
}
