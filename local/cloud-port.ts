import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { InputError } from '#core/errors.ts';

/** Tried in turn; below the range from which the system hands out ports to clients. */
const FIRST_PORT = 4566;
const LAST_PORT = 4665;

const endpoint = z.object({ port: z.number().int() });

/**
 * The port of the local cloud. It is chosen once and kept with the state, because URLs of queues contain it.
 * @throws {InputError} `PORT_CHANGED`, `PORT_TAKEN` or `NO_FREE_PORT`.
 */
export async function portFor(endpointFile: string, wanted: number | undefined): Promise<number> {
  const known = await rememberedPort(endpointFile);
  refuseOther(known, wanted);
  const chosen = known ?? wanted ?? (await freePort());
  if (!(await becomesFree(chosen))) {
    throw new InputError(`port ${chosen} of 127.0.0.1 is used by another program`, {
      code: 'PORT_TAKEN',
      hint: `Find it with \`ss -ltnp 'sport = :${chosen}'\` and stop it, or reset the local cloud and start on another port.`,
    });
  }
  await mkdir(dirname(endpointFile), { recursive: true });
  await writeFile(endpointFile, JSON.stringify({ port: chosen }));
  return chosen;
}

/** @throws {InputError} `PORT_CHANGED` */
export function refuseOther(known: number | null, wanted: number | undefined): void {
  if (known === null || wanted === undefined || wanted === known) return;
  throw new InputError(`the local cloud's state was made on port ${known}, not on ${wanted}`, {
    code: 'PORT_CHANGED',
    hint: 'Start it without naming a port, or reset it first: the addresses of its queues contain the port.',
  });
}

export async function rememberedPort(endpointFile: string): Promise<number | null> {
  try {
    return endpoint.parse(JSON.parse(await readFile(endpointFile, 'utf8'))).port;
  } catch {
    return null;
  }
}

async function freePort(): Promise<number> {
  for (let port = FIRST_PORT; port <= LAST_PORT; port++) if (await canListen(port)) return port;
  throw new InputError(`no port from ${FIRST_PORT} to ${LAST_PORT} is free`, {
    code: 'NO_FREE_PORT',
    hint: 'Stop what uses them.',
  });
}

/** The listener of a process that was just killed may outlive it by a moment. */
async function becomesFree(port: number): Promise<boolean> {
  for (let attempt = 0; attempt < 20; attempt++) {
    if (await canListen(port)) return true;
    await sleep(100);
  }
  return false;
}

/** Nobody answers on the port and nobody holds it: a listener on all addresses would not keep us from binding. */
async function canListen(port: number): Promise<boolean> {
  const answered = await new Promise<boolean>((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
  if (answered) return false;
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
