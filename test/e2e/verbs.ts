import { execFile } from 'node:child_process';
import { join } from 'node:path';
import type { z } from 'zod';
import { pythonHome } from '#test/e2e/demo-home.ts';

const REPOSITORY = join(import.meta.dirname, '..', '..');

export interface Said {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command as an operator does, in a process of its own. */
export function ponte(home: string, ...args: readonly string[]): Promise<Said> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('AWS_')));
  const options = { env: { ...env, PONTE_HOME: home, PONTE_PYTHON_HOME: pythonHome } };
  return new Promise((resolve) => {
    execFile(process.execPath, [join(REPOSITORY, 'cli', 'ponte.mjs'), ...args], options, (error, stdout, stderr) => {
      resolve({ status: error ? Number(error.code ?? 1) : 0, stdout, stderr });
    });
  });
}

/** The one JSON object that a verb printed. */
export async function ponteJson<T>(schema: z.ZodType<T>, home: string, ...args: readonly string[]): Promise<T> {
  const said = await ponte(home, ...args, '--json');
  if (said.status !== 0)
    throw new Error(`ponte ${args.join(' ')} ended with ${said.status}: ${said.stdout}${said.stderr}`);
  return schema.parse(JSON.parse(said.stdout));
}
