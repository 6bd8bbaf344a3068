import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { log, pythonHome } from '#test/e2e/demo-home.ts';

const REPOSITORY = join(import.meta.dirname, '..', '..');

export interface Interrupted {
  readonly status: number | null;
  /** Command lines of what still ran on behalf of this home afterwards. */
  readonly left: readonly string[];
}

/** `npm start` as a person runs it, with Ctrl-C at the first line that matches. */
export async function interruptStart(home: string, at: RegExp): Promise<Interrupted> {
  const bin = join(REPOSITORY, 'node_modules', '.bin', 'node');
  const child = spawn(bin, [join(REPOSITORY, 'local', 'start.ts'), '--scheduler=local'], {
    env: { ...process.env, PONTE_HOME: home, PONTE_PYTHON_HOME: pythonHome },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
  for await (const line of createInterface({ input: child.stdout })) {
    log(line);
    if (at.test(line)) child.kill('SIGINT');
  }
  return { status: await ended, left: processesOf(home) };
}

/** Every process whose command line or working folder is below the home. */
function processesOf(home: string): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return line.includes(home) ? [line] : [];
      } catch {
        return [];
      }
    });
}
