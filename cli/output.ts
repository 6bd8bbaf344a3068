import { PonteError } from '#core/errors.ts';

/** What a verb answers: the same facts for machines and for people, and what to do next. */
export interface Answer {
  readonly json: unknown;
  readonly text: string;
  /** A command line, or null where nothing follows. */
  readonly next?: string | null;
  /** A verb that looked and found something wrong ends with status 1. */
  readonly failed?: boolean;
}

export interface OutputOptions {
  readonly json?: boolean;
}

/** Progress and hints go to stderr, so that stdout is the answer and nothing else. */
export const progress = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

/** Runs a verb, prints its answer or its error, and sets the exit status. */
export async function answer(options: OutputOptions, verb: () => Promise<Answer>): Promise<void> {
  try {
    const { json, text, next, failed } = await verb();
    process.stdout.write(options.json ? `${JSON.stringify(json)}\n` : `${text}\n`);
    if (next && !options.json) progress(`\nnext: ${next}`);
    if (failed) process.exitCode = 1;
  } catch (error) {
    process.exitCode = 1;
    const { code, message, hint } = describe(error);
    if (options.json) process.stdout.write(`${JSON.stringify({ error: { code, message, hint } })}\n`);
    else progress(`error: ${message}\n  ${hint}`);
    if (process.env.PONTE_DEBUG && error instanceof Error) progress(error.stack ?? '');
  }
}

function describe(error: unknown): { code: string; message: string; hint: string } {
  if (error instanceof PonteError) return { code: error.code, message: error.message, hint: error.hint };
  const message = error instanceof Error ? error.message || error.name : String(error);
  if (/ECONNREFUSED/.test(`${message} ${error instanceof Error && error.name}`)) {
    return {
      code: 'CLOUD_UNREACHABLE',
      message: 'the cloud does not answer',
      hint: 'Is it running? `ponte local status` tells.',
    };
  }
  return { code: 'UNEXPECTED', message, hint: 'Set PONTE_DEBUG=1 to see where it happened.' };
}

/** A table for people: columns as wide as their widest cell, numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const numeric = head.map((_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === 'number'));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (numeric[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  return cells.map(line).join('\n');
}
