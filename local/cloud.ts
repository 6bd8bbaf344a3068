import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { InvariantError } from '#core/errors.ts';
import { portFor, refuseOther, rememberedPort } from '#local/cloud-port.ts';
import {
  findProcess,
  isAlive,
  listensOn,
  type ProcessRecord,
  startDetached,
  stopProcess,
} from '#local/cloud-process.ts';
import { ensurePythonEnvironment } from '#local/python-environment.ts';

export type Log = (line: string) => void;

export interface CloudHandle {
  /** `http://127.0.0.1:<port>`: one endpoint for all services. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Whether requests need credentials and roles are enforced. */
  readonly enforcesIam: boolean;
}

export interface CloudOptions {
  /** Absolute path of `.ponte`; the state is below `cloud/`, the Python environment below `python/`. */
  readonly home: string;
  readonly log: Log;
  readonly port?: number;
  /** Requests must be signed and roles are enforced. `cdk deploy` only works without. Default: as it runs now, else no. */
  readonly enforceIam?: boolean;
  /** Where Python environments live, when not below `home`; for tests with a temporary home. */
  readonly pythonHome?: string;
  /** More variables for the emulator, for instance `PONTE_CLOUD_WITHOUT`. */
  readonly env?: Readonly<Record<string, string>>;
}

const REPOSITORY = join(import.meta.dirname, '..');
const SOURCE = join(import.meta.dirname, 'cloud');
/** The account of the emulator's default credentials. */
export const ACCOUNT = '000000000000';
export const REGION = 'us-east-1';
const START_SECONDS = 60;

/** The files of the local cloud below `home`. */
export function cloudFiles(home: string) {
  const folder = join(home, 'cloud');
  return {
    folder,
    endpoint: join(folder, 'endpoint.json'),
    process: join(folder, 'process.json'),
    log: join(folder, 'emulator.log'),
    temporary: join(folder, 'tmp'),
    outputs: join(folder, 'outputs.json'),
    deployed: join(folder, 'deployed.sha256'),
  };
}

/**
 * Starts the local cloud on the loopback address, or finds it running. It goes on when the caller ends.
 * @throws {InputError} `PORT_TAKEN`, `PORT_CHANGED`; {InvariantError} `CLOUD_NOT_STARTED` with the end of the emulator's log.
 */
export async function startCloud(options: CloudOptions): Promise<CloudHandle> {
  const { home, log } = options;
  const files = cloudFiles(home);
  refuseOther(await rememberedPort(files.endpoint), options.port);
  const running = await findProcess(files.process);
  const enforceIam = options.enforceIam ?? (running !== null && enforces(running));
  const configuration = `${sourceDigest()} iam=${enforceIam} ${JSON.stringify(options.env ?? {})}`;
  if (running?.configuration === configuration) {
    await waitUntilHealthy(running, await portOf(files.endpoint), files.log);
    return handleOf(running, await portOf(files.endpoint));
  }
  if (running) {
    log('restarting the local cloud with its new configuration ...');
    await stopProcess(running);
  }
  const { python } = await ensurePythonEnvironment({
    name: 'cloud',
    lockFile: join(SOURCE, 'requirements.txt'),
    home: options.pythonHome ?? home,
    log,
  });
  const port = await portFor(files.endpoint, options.port);
  // Unpacked functions and worker scripts of an earlier run.
  await rm(files.temporary, { recursive: true, force: true });
  await mkdir(files.temporary, { recursive: true });
  // Functions run from below this folder, which may lie inside a project of ES modules; on AWS nothing is above them.
  await writeFile(join(files.folder, 'package.json'), '{ "type": "commonjs" }\n');
  log(`starting the local cloud on http://127.0.0.1:${port} ...`);
  const started = Date.now();
  const record = await startDetached({
    command: [python, '-m', 'ponte_cloud'],
    cwd: SOURCE,
    env: emulatorEnvironment(files.folder, port, enforceIam, options.env ?? {}),
    logFile: files.log,
    recordFile: files.process,
    marker: 'ponte_cloud',
    configuration,
  });
  await waitUntilHealthy(record, port, files.log);
  log(`  the local cloud is ready after ${((Date.now() - started) / 1000).toFixed(1)} s`);
  return handleOf(record, port);
}

/** Ends the local cloud; its state stays for the next start. Nothing to stop is no error. */
export async function stopCloud({ home, log }: { readonly home: string; readonly log: Log }): Promise<void> {
  const running = await findProcess(cloudFiles(home).process);
  if (!running) return;
  log('stopping the local cloud ...');
  await stopProcess(running);
  await rm(cloudFiles(home).process, { force: true });
}

/** Ends the local cloud and forgets everything that was in it. */
export async function resetCloud(options: { readonly home: string; readonly log: Log }): Promise<void> {
  await stopCloud(options);
  await rm(cloudFiles(options.home).folder, { recursive: true, force: true });
}

/** The running local cloud, or null. */
export async function cloudStatus({ home }: { readonly home: string }): Promise<CloudHandle | null> {
  const files = cloudFiles(home);
  const running = await findProcess(files.process);
  return running ? handleOf(running, await portOf(files.endpoint)) : null;
}

/** What an SDK, the CDK or the agent needs in its environment to talk to the local cloud as its operator. */
export function cloudEnvironment(handle: CloudHandle): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: handle.url,
    AWS_REGION: REGION,
    AWS_DEFAULT_REGION: REGION,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    // The person's own settings must not take part.
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
    CDK_DEFAULT_ACCOUNT: ACCOUNT,
    CDK_DEFAULT_REGION: REGION,
    CDK_DISABLE_CLI_TELEMETRY: 'true',
  };
}

function emulatorEnvironment(
  folder: string,
  port: number,
  enforceIam: boolean,
  extra: Readonly<Record<string, string>>,
): NodeJS.ProcessEnv {
  // Functions inherit this environment: no credentials of the person, no options of the calling Node.
  const inherited = Object.entries(process.env).filter(([name]) => !/^(AWS_|NODE_|VITEST)/.test(name));
  return {
    ...Object.fromEntries(inherited),
    PATH: `${join(REPOSITORY, 'node_modules', '.bin')}:${process.env.PATH ?? ''}`,
    NODE_PATH: join(REPOSITORY, 'node_modules'),
    BIND_HOST: '127.0.0.1',
    MINISTACK_HOST: '127.0.0.1',
    GATEWAY_PORT: String(port),
    PERSIST_STATE: '1',
    STATE_DIR: join(folder, 'state'),
    S3_PERSIST: '1',
    S3_DATA_DIR: join(folder, 's3'),
    TMPDIR: join(folder, 'tmp'),
    AUTH: String(enforceIam),
    ...extra,
  };
}

/** Changes with the emulator's pins and with the fixes: a cloud that runs older ones is started anew. */
function sourceDigest(): string {
  const digest = createHash('sha256');
  const names = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' });
  for (const name of names.filter((each) => /\.(py|txt)$/.test(each)).sort()) {
    digest
      .update(`${name}\0`)
      .update(readFileSync(join(SOURCE, name)))
      .update('\0');
  }
  return digest.digest('hex');
}

async function waitUntilHealthy(record: ProcessRecord, port: number, logFile: string): Promise<void> {
  const deadline = Date.now() + START_SECONDS * 1000;
  while (Date.now() < deadline && isAlive(record)) {
    const answer = listensOn(record, port) ? await fetch(`http://127.0.0.1:${port}/_ministack/health`) : null;
    if (answer?.ok) return;
    await sleep(50);
  }
  const end = existsSync(logFile) ? readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-5).join('\n') : '';
  throw new InvariantError(`the local cloud did not start; its log ends with\n${end}`, {
    code: 'CLOUD_NOT_STARTED',
    hint: `Read ${logFile}. If its state is damaged, reset the local cloud.`,
  });
}

function enforces(record: ProcessRecord): boolean {
  return record.configuration.includes(' iam=true ');
}

function handleOf(record: ProcessRecord, port: number): CloudHandle {
  return { url: `http://127.0.0.1:${port}`, port, pid: record.pid, enforcesIam: enforces(record) };
}

async function portOf(endpointFile: string): Promise<number> {
  const port = await rememberedPort(endpointFile);
  if (port !== null) return port;
  throw new InvariantError(`the local cloud runs but ${endpointFile} is gone`, {
    code: 'ENDPOINT_UNKNOWN',
    hint: 'Reset the local cloud.',
  });
}
