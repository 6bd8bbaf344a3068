import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Work } from '#adapters/journal-rows.ts';
import type { AgentContext } from '#bridge-agent/context.ts';
import { logTail, TASK_LOST } from '#bridge-agent/records.ts';
import type { ExitRecord } from '#core/job.ts';

/** Of one log, from its end: what a loop that prints for hours leaves is not worth more. */
const MOST_CHARACTERS = 1_000_000;

/** Puts what all tasks of a work printed beside its outputs, as one compressed text. */
export async function returnLogs(work: Work, { scratch, lake }: AgentContext): Promise<void> {
  const { logFolder } = scratch.folder(work);
  const names = existsSync(logFolder) ? readdirSync(logFolder).filter((name) => name.endsWith('.log')) : [];
  const text = names
    .sort()
    .map((name) => `==> ${name} <==\n${readFileSync(join(logFolder, name), 'utf8').slice(-MOST_CHARACTERS)}`)
    .join('\n');
  if (text === '') return;
  await lake.putBytes(`${work.message.outputPrefix}/logs.txt.gz`, gzipSync(text), 'application/gzip');
}

/** A failed record whose message ends with what its task printed last; others as they are. */
export function withLastLines(record: ExitRecord, work: Work, { journal, scratch }: AgentContext): ExitRecord {
  // A lost task's message ends so already.
  if (record.error === null || record.error.code === TASK_LOST) return record;
  const holders = journal.tasks(work).filter(({ units }) => units.some(({ unitId }) => unitId === record.unitId));
  const last = holders.at(-1);
  const tail = last === undefined ? '' : logTail(scratch.folder(work), last);
  if (tail === '') return record;
  return { ...record, error: { ...record.error, message: `${record.error.message}\nits task last said: ${tail}` } };
}
