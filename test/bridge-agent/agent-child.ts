import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { TestSite } from '#test/bridge-agent/site.ts';

const PROGRAM = fileURLToPath(new URL('./agent-process.ts', import.meta.url));

/** None of them is to outlive the process that started it, however that ends. */
const living = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

/** An agent as a process that a test may kill. */
export class AgentChild {
  readonly #process: ChildProcess;
  readonly #exit: Promise<unknown>;
  #errors = '';

  constructor(site: TestSite, killAt?: string) {
    const overrides = join(site.root, 'overrides.json');
    writeFileSync(overrides, JSON.stringify(site.overrides));
    const args = ['--disable-warning=ExperimentalWarning', PROGRAM, site.root, overrides, ...(killAt ? [killAt] : [])];
    this.#process = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'pipe'] });
    this.#process.stderr?.on('data', (chunk: Buffer) => {
      this.#errors += chunk.toString();
    });
    const child = this.#process;
    living.add(child);
    child.once('exit', () => living.delete(child));
    this.#exit = once(child, 'exit');
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Stops it where it is; resolves when it does nothing any more. */
  async freeze(): Promise<void> {
    this.kill('SIGSTOP');
    while (!/^State:\tT/m.test(readFileSync(`/proc/${this.#process.pid}/status`, 'utf8'))) await sleep(5);
  }

  /** How it ended: its exit code, the name of the signal, or what it said when it failed. */
  async ended(): Promise<number | string> {
    await this.#exit;
    if (this.#errors !== '') return this.#errors;
    return this.#process.signalCode ?? this.#process.exitCode ?? 'not ended';
  }
}
