import { existsSync, linkSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Task, TaskUnit } from '#adapters/journal-rows.ts';
import type { WorkFolder } from '#bridge-agent/scratch.ts';
import type { Digest } from '#core/digest.ts';
import { type ExitRecord, exitRecordSchema } from '#core/job.ts';

/** A task that ended too often without its records; its units are not tried again. */
export const TASK_LOST = 'TASK_LOST';

/** The names of the exit records that are there. One listing per look: it also refreshes a cached network folder. */
export function listRecords(folder: WorkFolder): ReadonlySet<string> {
  return existsSync(folder.exitFolder) ? new Set(readdirSync(folder.exitFolder)) : new Set();
}

/** The record of a unit. One that cannot be read, or speaks of something else, is a failure of the infrastructure. */
export function readRecord(folder: WorkFolder, workKey: Digest, unit: TaskUnit): ExitRecord {
  const path = folder.exitRecord(unit.unitId, unit.attempt);
  try {
    const record = exitRecordSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
    if (record.workKey === workKey && record.unitId === unit.unitId) return record;
  } catch (error) {
    return failedRecord(
      workKey,
      unit,
      'RECORD_UNREADABLE',
      `${path}: ${error instanceof Error ? error.message : error}`,
    );
  }
  return failedRecord(workKey, unit, 'RECORD_UNREADABLE', `${path} speaks of another unit or another work`);
}

/** Says on the job side's behalf that a unit failed; a record that it wrote first stands. */
export function recordLoss(folder: WorkFolder, workKey: Digest, unit: TaskUnit, message: string): void {
  const path = folder.exitRecord(unit.unitId, unit.attempt);
  const draft = `${path}.agent`;
  writeFileSync(draft, JSON.stringify(failedRecord(workKey, unit, TASK_LOST, message)), { flush: true });
  try {
    linkSync(draft, path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function failedRecord(workKey: Digest, { unitId, attempt }: TaskUnit, code: string, message: string): ExitRecord {
  const at = new Date().toISOString();
  return {
    version: 1,
    workKey,
    unitId,
    outcome: 'failed',
    error: { code, kind: 'infrastructure', message },
    rows: 0,
    outputs: [],
    seconds: { import: 0, read: 0, compute: 0, write: 0, wall: 0 },
    cpuSeconds: 0,
    peakRssBytes: 0,
    node: hostname(),
    pid: process.pid,
    attemptId: `agent-${attempt}`,
    startedAt: at,
    endedAt: at,
    versions: {},
  };
}

/** How much of a task's output is kept when it is lost: enough for the last lines of a traceback. */
const TAIL_CHARACTERS = 1500;

/** The end of what a task printed last; empty when it printed nothing. */
export function logTail(folder: WorkFolder, { name, task }: Pick<Task, 'name' | 'task'>): string {
  const path = join(folder.logFolder, `${name}_${task}.log`);
  return existsSync(path) ? readFileSync(path, 'utf8').slice(-TAIL_CHARACTERS).trim() : '';
}

/**
 * Whether the highest claim of a task was touched lately. Both times are the file system's, because the clocks of the
 * agent's host and of the nodes may differ.
 */
export function holderIsAlive(folder: WorkFolder, task: number, staleSeconds: number): boolean {
  if (!existsSync(folder.claimsFolder)) return false;
  const prefix = `${task}.`;
  const numbers = readdirSync(folder.claimsFolder)
    .filter((name) => name.startsWith(prefix))
    .map((name) => Number(name.slice(prefix.length)));
  if (numbers.length === 0) return false;
  const probe = join(folder.claimsFolder, `.now.agent.${process.pid}`);
  writeFileSync(probe, '');
  const now = statSync(probe).mtimeMs;
  rmSync(probe);
  const touched = statSync(join(folder.claimsFolder, `${task}.${Math.max(...numbers)}`)).mtimeMs;
  return now - touched < staleSeconds * 1000;
}
