import { readdirSync, readFileSync } from 'node:fs';

const NAME = /(?:^|\0)AWS_LAMBDA_FUNCTION_NAME=([^\0]+)/;

/** Highest resident memory of every function's processes of one local cloud, in MiB, by watching them while they run. */
export class FunctionMemory {
  readonly peaks = new Map<string, number>();
  readonly #cloud: number;
  readonly #timer: NodeJS.Timeout;

  /** @param cloud the process of the local cloud, whose children the functions are */
  constructor(cloud: number, milliseconds = 200) {
    this.#cloud = cloud;
    this.#timer = setInterval(() => this.#look(), milliseconds);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        const name = NAME.exec(readFileSync(`/proc/${pid}/environ`, 'latin1'))?.[1];
        if (name === undefined) continue;
        const status = readFileSync(`/proc/${pid}/status`, 'latin1');
        if (Number(/PPid:\s+(\d+)/.exec(status)?.[1]) !== this.#cloud) continue;
        const peak = /VmHWM:\s+(\d+) kB/.exec(status)?.[1];
        this.peaks.set(name, Math.max(this.peaks.get(name) ?? 0, Number(peak ?? 0) / 1024));
      } catch {
        // The process ended, or is another user's.
      }
    }
  }
}
