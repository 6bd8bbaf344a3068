import { join } from 'node:path';
import { CommandFailed, run } from '#local/process.ts';

const ROOT = join(import.meta.dirname, '..');
const BIN = join(ROOT, 'node_modules', '.bin');

export interface SourceCheck {
  readonly name: string;
  readonly passed: boolean;
}

const CHECKS: readonly { readonly name: string; readonly command: readonly [string, ...string[]] }[] = [
  { name: 'format and lint', command: ['biome', 'check', '--max-diagnostics=50', '.'] },
  { name: 'types', command: ['tsc', '-p', '.'] },
  { name: 'dead code', command: ['knip', '--no-progress'] },
];

/** Runs every check, also after one has failed, and prints what is wrong. */
export async function checkSources(log: (line: string) => void): Promise<readonly SourceCheck[]> {
  const results: SourceCheck[] = [];
  for (const { name, command } of CHECKS) {
    const [program, ...args] = command;
    const started = Date.now();
    try {
      await run([join(BIN, program), ...args], { cwd: ROOT });
      results.push({ name, passed: true });
      log(`ok      ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
    } catch (error) {
      results.push({ name, passed: false });
      log(`FAILED  ${name}\n${error instanceof CommandFailed ? error.message : String(error)}`);
    }
  }
  return results;
}
