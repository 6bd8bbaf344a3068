import { readdirSync, readFileSync } from 'node:fs';

/** A process that stays recognisable after its number was given to another one, or the machine was started again. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot, field 22 of /proc/PID/stat. */
  readonly startTime: string;
  readonly bootId: string;
}

/** Reads `pid start-time boot-id`, as local-task.sh writes it; null for anything else. */
export function parseProcessIdentity(text: string): ProcessIdentity | null {
  const match = /^(\d+) (\d+) ([0-9a-f-]+)\s*$/.exec(text);
  const [, pid, startTime, bootId] = match ?? [];
  if (pid === undefined || startTime === undefined || bootId === undefined) return null;
  return { pid: Number(pid), startTime, bootId };
}

/** Whether that very process runs; a zombie does not. */
export function isAlive(process: ProcessIdentity): boolean {
  if (readBootId() !== process.bootId) return false;
  const stat = readStat(process.pid);
  return stat !== null && stat.startTime === process.startTime && stat.state !== 'Z';
}

/** The live processes of the session that this process leads or led. A number in use as session id is not reused. */
export function sessionMembers(leader: ProcessIdentity): readonly number[] {
  if (readBootId() !== leader.bootId) return [];
  const present = readStat(leader.pid);
  if (present !== null && present.startTime !== leader.startTime) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const stat = readStat(pid);
      return stat !== null && stat.session === leader.pid && stat.state !== 'Z';
    });
}

/** Sends a signal to one process; a process that is gone is no error. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

function readStat(
  pid: number,
): { readonly state: string; readonly session: number; readonly startTime: string } | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null;
  }
  // The second field is the program's name in brackets and may hold anything, so count from its last bracket.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, , , session] = fields;
  const startTime = fields[19];
  if (state === undefined || session === undefined || startTime === undefined) return null;
  return { state, session: Number(session), startTime };
}

/** What makes the process with this number recognisable later; null when there is none. */
export function identifyProcess(pid: number): ProcessIdentity | null {
  const stat = readStat(pid);
  return stat && { pid, startTime: stat.startTime, bootId: readBootId() };
}
