import { existsSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type Digest, digestOf, sha256 } from '#core/digest.ts';
import { InvariantError } from '#core/errors.ts';
import {
  ACCOUNT,
  type CloudHandle,
  type CloudOptions,
  cloudEnvironment,
  cloudFiles,
  type Log,
  REGION,
  startCloud,
} from '#local/cloud.ts';
import { CommandFailed, run } from '#local/process.ts';

const REPOSITORY = join(import.meta.dirname, '..');
const STACK = 'Ponte';
/** What the deployed stack is made of. */
const SOURCES = ['cdk.json', 'infra', 'functions', 'core', 'adapters', 'schemas', 'package-lock.json'];

const outputsFile = z.record(z.string(), z.record(z.string(), z.string()));

export interface DeployOptions {
  readonly handle: CloudHandle;
  readonly home: string;
  readonly log: Log;
  /** The folder with `cdk.json`; the repository unless a test deploys another app. */
  readonly app?: string;
  readonly stack?: string;
}

/**
 * Deploys the stack with the real `cdk deploy` and returns its outputs by name. Returns at once when nothing that the
 * stack is made of has changed since the last deployment to this state.
 * @throws {InvariantError} `DEPLOY_NEEDS_OPERATOR` on a cloud that enforces IAM; `DEPLOY_FAILED` with what the CDK said.
 */
export async function deployStack(options: DeployOptions): Promise<Record<string, string>> {
  const { handle, home, log, app = REPOSITORY, stack = STACK } = options;
  const files = cloudFiles(home);
  const digest = await sourcesDigest(app, stack);
  if (await isDeployed(home, digest)) {
    log('the stack is deployed and unchanged');
    return readOutputs(files.outputs, stack);
  }
  if (handle.enforcesIam) {
    throw new InvariantError('the CDK cannot deploy to a local cloud that enforces IAM', {
      code: 'DEPLOY_NEEDS_OPERATOR',
      hint: 'Start the local cloud with enforceIam: false, deploy, then enforce IAM.',
    });
  }
  await rm(files.deployed, { force: true });
  if (!(await isBootstrapped(handle))) {
    log('preparing the local account for the CDK (once) ...');
    await cdk(['bootstrap', `aws://${ACCOUNT}/${REGION}`], options, app);
  }
  log(`deploying the stack ${stack} ...`);
  const started = Date.now();
  await cdk(['deploy', stack, '--require-approval', 'never', '--outputs-file', files.outputs], options, app);
  const outputs = await readOutputs(files.outputs, stack);
  await fetch(`${handle.url}/_ponte/snapshot`, { method: 'POST' });
  // Last: a deployment that was interrupted, or that a kill of the cloud could still undo, is repeated.
  await writeFile(files.deployed, digest);
  log(`  deployed after ${((Date.now() - started) / 1000).toFixed(1)} s`);
  return outputs;
}

/**
 * Starts the local cloud with the stack deployed; with `enforceIam`, its roles are enforced from then on. A cloud that
 * enforces them is only opened, and for no longer than that, when there is something to deploy.
 */
export async function startDeployedCloud(
  options: CloudOptions & Pick<DeployOptions, 'app' | 'stack'>,
): Promise<{ readonly handle: CloudHandle; readonly outputs: Record<string, string> }> {
  const { home, log, app = REPOSITORY, stack = STACK } = options;
  const enforced = options.enforceIam ?? false;
  const unchanged = await isDeployed(home, await sourcesDigest(app, stack));
  const opened = await startCloud({ ...options, enforceIam: enforced && unchanged });
  const outputs = await deployStack({ handle: opened, home, log, app, stack });
  return { handle: enforced ? await startCloud({ ...options, enforceIam: true }) : opened, outputs };
}

async function isDeployed(home: string, digest: Digest): Promise<boolean> {
  const { deployed, outputs } = cloudFiles(home);
  return existsSync(outputs) && existsSync(deployed) && (await readFile(deployed, 'utf8')) === digest;
}

async function cdk(args: readonly string[], { handle, home, log }: DeployOptions, app: string): Promise<void> {
  const program = join(REPOSITORY, 'node_modules', '.bin', 'cdk');
  const env = {
    ...process.env,
    ...cloudEnvironment(handle),
    PATH: `${join(REPOSITORY, 'node_modules', '.bin')}:${process.env.PATH ?? ''}`,
  };
  const output = join(cloudFiles(home).folder, 'cdk.out');
  let done = 0;
  try {
    await run([program, ...args, '--output', output, '--progress', 'events', '--no-notices', '--no-color', '--ci'], {
      cwd: app,
      env,
      onLine: (line) => {
        if (isResourceDone(line) && ++done % RESOURCES_PER_LINE === 0) log(`  ${done} resources ...`);
      },
    });
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    throw new InvariantError(`cdk ${args[0]} failed\n${error.message}`, {
      code: 'DEPLOY_FAILED',
      hint: 'Read what the CDK says above; `cdk synth` alone shows whether the app itself is at fault.',
      cause: error,
    });
  }
}

const RESOURCES_PER_LINE = 20;

/** `Ponte | 3/51 | 06:59:06 | CREATE_COMPLETE | AWS::SQS::Queue | Name (Id)` */
function isResourceDone(line: string): boolean {
  const fields = line.split('|').map((field) => field.trim());
  return fields.length >= 6 && fields[3]?.endsWith('_COMPLETE') === true;
}

/** The bootstrap stack records its version in a parameter, which is also what the CDK asks for. */
async function isBootstrapped(handle: CloudHandle): Promise<boolean> {
  const answer = await fetch(handle.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'AmazonSSM.GetParameter',
      authorization: `AWS4-HMAC-SHA256 Credential=test/20260101/${REGION}/ssm/aws4_request, SignedHeaders=host, Signature=0`,
    },
    body: JSON.stringify({ Name: '/cdk-bootstrap/hnb659fds/version' }),
  });
  return answer.ok;
}

async function readOutputs(file: string, stack: string): Promise<Record<string, string>> {
  return outputsFile.parse(JSON.parse(await readFile(file, 'utf8')))[stack] ?? {};
}

/** The digest of every file that the stack is made of, by name and content. */
async function sourcesDigest(app: string, stack: string): Promise<Digest> {
  const fields: Record<string, string> = { stack };
  for (const source of SOURCES) {
    const path = join(app, source);
    if (!existsSync(path)) continue;
    for (const name of await filesOf(path)) fields[name.slice(app.length)] = sha256(await readFile(name));
  }
  return digestOf('deployment', fields);
}

async function filesOf(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => null);
  if (entries === null) return [path];
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
