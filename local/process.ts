import { spawn } from 'node:child_process';

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Called for every line of either stream; without it the output is only kept for the error. */
  readonly onLine?: (line: string) => void;
  readonly signal?: AbortSignal;
}

export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
  readonly status: number | null;

  constructor(command: readonly string[], status: number | null, tail: string) {
    super(`${command.join(' ')} ended with ${status === null ? 'a signal' : `status ${status}`}\n${tail}`);
    this.status = status;
  }
}

/** How much of a failed command's output its error carries. */
const TAIL_CHARACTERS = 4000;

/**
 * Runs a program (never through a shell) and resolves with its standard output.
 * @throws {CommandFailed} when it cannot be started or does not end with status 0; carries the end of its output.
 */
export function run(command: readonly [string, ...string[]], options: RunOptions = {}): Promise<string> {
  const [program, ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.signal ? { signal: options.signal } : {}),
    });
    let stdout = '';
    let tail = '';
    const listen = (keep: boolean) => {
      let partial = '';
      return (chunk: Buffer) => {
        const text = chunk.toString('utf8');
        if (keep) stdout += text;
        tail = (tail + text).slice(-TAIL_CHARACTERS);
        const lines = (partial + text).split('\n');
        partial = lines.pop() ?? '';
        for (const line of lines) options.onLine?.(line);
      };
    };
    child.stdout.on('data', listen(true));
    child.stderr.on('data', listen(false));
    child.on('error', (error) => reject(new CommandFailed(command, null, error.message)));
    child.on('close', (status) =>
      status === 0 ? resolve(stdout) : reject(new CommandFailed(command, status, tail.trimEnd())),
    );
  });
}
