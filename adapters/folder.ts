import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { InputError } from '#core/errors.ts';

const systemErrorSchema = z.object({ code: z.string() });

/**
 * Makes a folder and what is missing above it, a level at a time: `mkdir` with `recursive` never returns below /proc
 * (Node 24). One that is there already stays.
 * @throws {InputError} `FOLDER_NOT_MADE`
 */
export function makeFolder(path: string): void {
  const missing: string[] = [];
  for (let at = path; !existsSync(at); at = dirname(at)) missing.unshift(at);
  for (const folder of missing) {
    try {
      mkdirSync(folder);
    } catch (error) {
      const code = systemErrorSchema.safeParse(error).data?.code ?? String(error);
      if (code === 'EEXIST') continue;
      throw new InputError(`the folder ${path} cannot be made: ${code} at ${folder}`, {
        code: 'FOLDER_NOT_MADE',
        hint: "Name a folder on a file system that can be written to, below one that the agent's user owns.",
        cause: error,
      });
    }
  }
}
