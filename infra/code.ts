import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type AssetCode, Code } from 'aws-cdk-lib/aws-lambda';
import { buildSync } from 'esbuild';
import { InputError } from '#core/errors.ts';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** The functions that only talk to services. */
const LIGHT = ['intake', 'manifest', 'plan', 'prepare-job', 'verify-job', 'request-approval'] as const;
const LIGHT_TOO = [
  'plan-batches',
  'plan-partitions',
  'deliver',
  'fail-campaign',
  'deliver-further',
  'fail-delivery',
] as const;
/** The functions that query files with DuckDB, and so carry its native library. */
const WITH_DUCKDB = [
  ...(['inspect', 'pack-partition', 'finish-catalogue'] as const),
  ...(['plan-verification', 'verify-partition', 'plan-id-ranges', 'verify-id-range', 'verify-catalogue'] as const),
] as const;

export type FunctionName = (typeof LIGHT)[number] | (typeof LIGHT_TOO)[number] | (typeof WITH_DUCKDB)[number];

/** The processors that the functions can run on; the local cloud's are this machine's. */
export const PROCESSORS = ['x64', 'arm64'] as const;
export type Processor = (typeof PROCESSORS)[number];

/** What DuckDB needs beside a bundle, apart from its library for one processor. */
const DUCKDB_PACKAGES = ['@duckdb/node-api', '@duckdb/node-bindings', 'detect-libc'] as const;
const libraryFor = (processor: Processor) => `@duckdb/node-bindings-linux-${processor}`;
/** Where npm puts packages of a processor that this machine does not have. */
const ELSEWHERE = join(ROOT, '.ponte', 'arm64', 'node_modules');

export interface FunctionCode {
  readonly processor: Processor;
  code(name: FunctionName): Code;
}

/**
 * Bundles every function in one go into two assets, so that a deployment uploads two archives rather than fifteen. The
 * SDK is bundled too: what runs is what was tested, not what the runtime happens to bring.
 * @param folder for the bundles; emptied
 */
export function bundleFunctions(folder: string, processor: Processor): FunctionCode {
  const light = bundle(join(folder, 'light'), [...LIGHT, ...LIGHT_TOO]);
  const withDuckDb = bundle(join(folder, 'duckdb'), WITH_DUCKDB);
  const library = libraryFor(processor);
  for (const name of [...DUCKDB_PACKAGES, library]) {
    const source = [join(ROOT, 'node_modules', name), join(ELSEWHERE, name)].find(existsSync);
    if (source) cpSync(source, join(withDuckDb, 'node_modules', name), { recursive: true, dereference: true });
    else if (name === library && processor === 'arm64') throw missing(library);
  }
  const [lightCode, duckDbCode] = [Code.fromAsset(light), Code.fromAsset(withDuckDb)];
  const heavy: readonly string[] = WITH_DUCKDB;
  return { processor, code: (name): AssetCode => (heavy.includes(name) ? duckDbCode : lightCode) };
}

function missing(library: string): InputError {
  return new InputError(`${library} is not installed, which the functions need on arm64`, {
    code: 'LIBRARY_MISSING',
    hint: 'docs/operator.md has the command that brings it to .ponte/arm64.',
  });
}

function bundle(outdir: string, names: readonly FunctionName[]): string {
  rmSync(outdir, { recursive: true, force: true });
  mkdirSync(outdir, { recursive: true });
  buildSync({
    absWorkingDir: ROOT,
    entryPoints: names.map((name) => join(ROOT, 'functions', `${name}.ts`)),
    outdir,
    bundle: true,
    platform: 'node',
    target: 'node22',
    format: 'cjs',
    minify: true,
    keepNames: true,
    external: ['@duckdb/*'],
    logLevel: 'warning',
  });
  return outdir;
}
