import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identifyProcess, isAlive, type ProcessIdentity, signalProcess } from '#adapters/linux-process.ts';

/** One daemon of ours, which outlives the command that started it. It is recognised by its start time, not its number. */
export class Daemon {
  readonly #record: string;

  /** @param record the file that remembers it. */
  constructor(record: string) {
    this.#record = record;
  }

  isRunning(): boolean {
    const identity = this.#read();
    return identity !== null && isAlive(identity);
  }

  /** Starts it in a session of its own, its output appended to `log`; it must stay in the foreground. */
  start(command: readonly [string, ...string[]], log: string, env: NodeJS.ProcessEnv): void {
    const [program, ...args] = command;
    mkdirSync(dirname(this.#record), { recursive: true });
    const output = openSync(log, 'a');
    const child = spawn(program, args, { detached: true, env, stdio: ['ignore', output, output] });
    closeSync(output);
    child.on('error', () => {
      // It is seen by not running.
    });
    child.unref();
    const identity = child.pid === undefined ? null : identifyProcess(child.pid);
    if (identity) writeFileSync(this.#record, JSON.stringify(identity));
  }

  /** Ends it, gently at first, and forgets it; a stranger who got its number is left alone. */
  async stop(): Promise<void> {
    const identity = this.#read();
    if (identity) {
      if (isAlive(identity)) signalProcess(identity.pid, 'SIGTERM');
      for (let wait = 0; wait < 100 && isAlive(identity); wait += 1) await sleep(100);
      if (isAlive(identity)) signalProcess(identity.pid, 'SIGKILL');
    }
    rmSync(this.#record, { force: true });
  }

  /** Ends it at once, as a crash would; `start` may follow. For tests. */
  async kill(): Promise<void> {
    const identity = this.#read();
    if (identity === null) return;
    if (isAlive(identity)) signalProcess(identity.pid, 'SIGKILL');
    for (let wait = 0; wait < 100 && isAlive(identity); wait += 1) await sleep(20);
  }

  /** Stops it in its tracks, as a busy or swapped-out host would, until `thaw`. For tests. */
  freeze(): { thaw(): void } {
    const identity = this.#read();
    if (identity === null || !isAlive(identity)) throw new Error('cannot freeze what does not run');
    signalProcess(identity.pid, 'SIGSTOP');
    return { thaw: () => signalProcess(identity.pid, 'SIGCONT') };
  }

  #read(): ProcessIdentity | null {
    if (!existsSync(this.#record)) return null;
    const content: unknown = JSON.parse(readFileSync(this.#record, 'utf8'));
    if (typeof content !== 'object' || content === null) return null;
    if (!('pid' in content && 'startTime' in content && 'bootId' in content)) return null;
    return { pid: Number(content.pid), startTime: String(content.startTime), bootId: String(content.bootId) };
  }
}
