import { spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';

/**
 * A process that outlives whoever started it. A pid alone is no identity, because the system reuses it: the moment of
 * the start, in clock ticks since boot, and the program tell two holders of one pid apart.
 */
const processRecord = z.object({
  pid: z.number().int().positive(),
  startTicks: z.string(),
  /** Part of the command line that no stranger has. */
  marker: z.string(),
  /** What the process was started with; another value means that it must be started anew. */
  configuration: z.string(),
});
export type ProcessRecord = z.infer<typeof processRecord>;

/** Field 22 of /proc/<pid>/stat, counted after the command name, which may contain spaces and parentheses. */
function startTicksOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}

/** Whether the recorded process, and not another with its number, is alive. */
export function isAlive(record: ProcessRecord): boolean {
  if (startTicksOf(record.pid) !== record.startTicks) return false;
  try {
    return readFileSync(`/proc/${record.pid}/cmdline`, 'utf8').includes(record.marker);
  } catch {
    return false;
  }
}

/** Whether the process itself, and not another that was faster, listens on the port of 127.0.0.1. */
export function listensOn(record: ProcessRecord, port: number): boolean {
  const address = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const LISTENING = '0A';
  try {
    // Of each line: the number, local address, remote address, state, ..., and in the tenth field the inode.
    const sockets = readFileSync('/proc/net/tcp', 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/));
    const inodes = sockets
      .filter((fields) => fields[1] === address && fields[3] === LISTENING)
      .map((fields) => fields[9]);
    const own = readdirSync(`/proc/${record.pid}/fd`).map((fd) => linkOf(`/proc/${record.pid}/fd/${fd}`));
    return inodes.some((inode) => own.includes(`socket:[${inode}]`));
  } catch {
    return false;
  }
}

/** Files close while we look. */
function linkOf(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}

/** The recorded process if it is alive, else null. */
export async function findProcess(recordFile: string): Promise<ProcessRecord | null> {
  let text: string;
  try {
    text = await readFile(recordFile, 'utf8');
  } catch {
    return null;
  }
  const record = processRecord.safeParse(JSON.parse(text));
  return record.success && isAlive(record.data) ? record.data : null;
}

export interface DetachedProcess {
  readonly command: readonly [string, ...string[]];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly logFile: string;
  readonly recordFile: string;
  readonly marker: string;
  readonly configuration: string;
}

/** Starts a program in a session of its own, so that Ctrl-C in the caller's terminal does not reach it. */
export async function startDetached(spec: DetachedProcess): Promise<ProcessRecord> {
  const [program, ...args] = spec.command;
  const log = openSync(spec.logFile, 'a');
  const child = spawn(program, args, { cwd: spec.cwd, env: spec.env, detached: true, stdio: ['ignore', log, log] });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  child.unref();
  closeSync(log);
  const pid = child.pid ?? 0;
  const { marker, configuration } = spec;
  const record = { pid, startTicks: startTicksOf(pid) ?? '', marker, configuration };
  await writeFile(spec.recordFile, JSON.stringify(record));
  return record;
}

/** How long a process may take to save its state before it is killed. */
const GRACE_SECONDS = 15;

/** Ends the recorded process, and what it started; in good order if it lets itself be. */
export async function stopProcess(record: ProcessRecord, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (!isAlive(record)) return;
  process.kill(record.pid, signal);
  const deadline = Date.now() + GRACE_SECONDS * 1000;
  while (isAlive(record) && Date.now() < deadline) await sleep(50);
  // Its session: what it started and left behind, and itself if it did not listen. A signal takes a moment to end them.
  const gone = Date.now() + GONE_SECONDS * 1000;
  while (signalSession(record.pid, 'SIGKILL') && Date.now() < gone) await sleep(20);
}

/** How long the system may take to clear away what was killed. */
const GONE_SECONDS = 5;

/** False when the session has nobody left. */
function signalSession(leader: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-leader, signal);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
    throw error;
  }
}
