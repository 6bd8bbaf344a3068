import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type AssetCode, Code } from 'aws-cdk-lib/aws-lambda';
import { buildSync } from 'esbuild';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** The functions that only talk to services. */
const LIGHT = ['intake', 'manifest', 'plan', 'prepare-job', 'verify-job', 'request-approval'] as const;
const LIGHT_TOO = ['plan-batches', 'plan-partitions', 'deliver', 'fail-campaign'] as const;
/** The functions that query files with DuckDB, and so carry its native library. */
const WITH_DUCKDB = ['inspect', 'pack-partition', 'finish-catalogue', 'verify-catalogue'] as const;

export type FunctionName = (typeof LIGHT)[number] | (typeof LIGHT_TOO)[number] | (typeof WITH_DUCKDB)[number];

/** What DuckDB needs beside a bundle, for the processor that Lambda runs it on. */
const DUCKDB_PACKAGES = [
  '@duckdb/node-api',
  '@duckdb/node-bindings',
  '@duckdb/node-bindings-linux-x64',
  'detect-libc',
] as const;

export interface FunctionCode {
  code(name: FunctionName): Code;
}

/**
 * Bundles every function in one go into two assets, so that a deployment uploads two archives rather than fifteen. The
 * SDK is bundled too: what runs is what was tested, not what the runtime happens to bring.
 * @param folder for the bundles; emptied
 */
export function bundleFunctions(folder: string): FunctionCode {
  const light = bundle(join(folder, 'light'), [...LIGHT, ...LIGHT_TOO]);
  const withDuckDb = bundle(join(folder, 'duckdb'), WITH_DUCKDB);
  for (const name of DUCKDB_PACKAGES) {
    const source = join(ROOT, 'node_modules', name);
    if (existsSync(source))
      cpSync(source, join(withDuckDb, 'node_modules', name), { recursive: true, dereference: true });
  }
  const [lightCode, duckDbCode] = [Code.fromAsset(light), Code.fromAsset(withDuckDb)];
  const heavy: readonly string[] = WITH_DUCKDB;
  return { code: (name): AssetCode => (heavy.includes(name) ? duckDbCode : lightCode) };
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
