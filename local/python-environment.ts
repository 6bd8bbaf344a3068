import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { sha256 } from '#core/digest.ts';
import { run } from '#local/process.ts';

export interface PythonEnvironmentSpec {
  /** Folder name below `home`, for instance `rail`. */
  readonly name: string;
  /** A requirements file with exact versions. */
  readonly lockFile: string;
  /** Packages the lock's dependencies ask for and that are left out on purpose. */
  readonly overridesFile?: string;
  /** Where environments live, for instance `.ponte`. */
  readonly home: string;
  readonly log: (line: string) => void;
}

export interface PythonEnvironment {
  /** Absolute path of the interpreter. */
  readonly python: string;
  /** Changes when, and only when, the lock or the overrides change. */
  readonly lockDigest: string;
}

/** The installer, itself pinned: it resolved and measured these locks, and is about 6 times as fast as pip. Sites use it too. */
const INSTALLER = join(import.meta.dirname, '..', 'bridge-agent', 'rail', 'installer.txt');

/**
 * Makes (once) a virtual environment from a lock file. A second call with the same lock returns at once; an
 * interrupted one starts over, because the stamp is written last.
 */
export async function ensurePythonEnvironment(spec: PythonEnvironmentSpec): Promise<PythonEnvironment> {
  const folder = join(spec.home, 'python', spec.name);
  const stamp = join(folder, 'ponte-lock.sha256');
  const python = join(folder, 'bin', 'python');
  const overrides = spec.overridesFile ? await readFile(spec.overridesFile, 'utf8') : '';
  const lockDigest = sha256(`${await readFile(spec.lockFile, 'utf8')}\0${overrides}`);
  if (existsSync(stamp) && (await readFile(stamp, 'utf8')) === lockDigest) return { python, lockDigest };

  const started = Date.now();
  spec.log(`installing the Python environment "${spec.name}" (once) ...`);
  const uv = await ensureInstaller(spec.home, spec.log);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const env = { ...process.env, UV_PYTHON_DOWNLOADS: 'never', UV_LINK_MODE: 'copy' };
  await run([uv, 'venv', '--quiet', '--python', systemPython(), folder], { env });
  const overrideArgs = spec.overridesFile ? ['--override', spec.overridesFile] : [];
  await run(
    [uv, 'pip', 'install', '--quiet', '--python', python, '--compile-bytecode', ...overrideArgs, '-r', spec.lockFile],
    { env },
  );
  await writeFile(stamp, lockDigest);
  spec.log(`  "${spec.name}" is ready after ${((Date.now() - started) / 1000).toFixed(1)} s`);
  return { python, lockDigest };
}

/**
 * Downloads the source package that `requirements` pins, by version and digest, from where the environments come from.
 * Its own build tools are installed for the while, apart, because pip asks every source package what it depends on.
 */
export async function downloadSource(options: {
  readonly home: string;
  readonly requirements: string;
  /** Its name, as in `requirements`: no built package is taken in its place. */
  readonly package: string;
  readonly folder: string;
  readonly log: (line: string) => void;
}): Promise<void> {
  const pip = join(dirname(await ensureInstaller(options.home, options.log)), 'pip');
  const only = ['--no-deps', '--no-binary', options.package, '--require-hashes', '-r', options.requirements];
  await run([pip, 'download', '--quiet', '--disable-pip-version-check', ...only, '-d', options.folder]);
}

/** `PONTE_PYTHON` names another interpreter than the `python3` on the PATH; 3.11 or newer. */
function systemPython(): string {
  return process.env.PONTE_PYTHON ?? 'python3';
}

/** By home: environments are made side by side, and the installer that they share is installed once. */
const installers = new Map<string, Promise<string>>();

function ensureInstaller(home: string, log: (line: string) => void): Promise<string> {
  const pending = installers.get(home) ?? installInstaller(home, log);
  installers.set(home, pending);
  // A failure is for those who wait for it; the next one tries again.
  pending.catch(() => installers.delete(home));
  return pending;
}

async function installInstaller(home: string, log: (line: string) => void): Promise<string> {
  const folder = join(home, 'python', 'installer');
  const uv = join(folder, 'bin', 'uv');
  if (existsSync(join(folder, 'ready'))) return uv;
  log('  getting the Python package installer ...');
  await rm(folder, { recursive: true, force: true });
  await run([systemPython(), '-m', 'venv', folder]);
  await run([join(folder, 'bin', 'pip'), 'install', '--quiet', '--disable-pip-version-check', '-r', INSTALLER]);
  await writeFile(join(folder, 'ready'), '');
  return uv;
}
