import { chmod, copyFile, cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { build } from 'esbuild';
import { z } from 'zod';
import { fileDigest } from '#adapters/file-digest.ts';
import { run } from '#local/process.ts';

const ROOT = join(import.meta.dirname, '..');

/** What goes into the bundle as it is: path in the repository, path in the bundle. */
const FILES: readonly (readonly [string, string])[] = [
  ['bridge-agent/job', 'bridge-agent/job'],
  ['bridge-agent/rail', 'bridge-agent/rail'],
  ['bridge-agent/sites', 'bridge-agent/sites'],
  ['schemas/algorithms', 'schemas/algorithms'],
  ['bridge-agent/bundle/ponte', 'bin/ponte'],
  ['bridge-agent/bundle/install-rail.sh', 'install-rail.sh'],
  ['bridge-agent/bundle/rail.def', 'rail.def'],
  ['bridge-agent/bundle/rail-in-apptainer.sh', 'rail-in-apptainer.sh'],
  ['docs/site.md', 'site.md'],
  ['LICENSE', 'LICENSE'],
];

export interface AgentBundle {
  /** Absolute path of the .tar.gz. */
  readonly archive: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

/**
 * All that a site installs, in one archive: the agent as one file with the Node that runs it, the worker, the registered
 * algorithms, the sites' profiles and the script that builds RAIL's environment. The same sources give the same bytes.
 * @param out folder that gets the archive and, beside it, its digest
 */
export async function makeAgentBundle(out: string): Promise<AgentBundle> {
  const { version } = z
    .object({ version: z.string() })
    .parse(JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')));
  const name = `ponte-agent-${version}`;
  const folder = join(out, name);
  await rm(folder, { recursive: true, force: true });
  await mkdir(join(folder, 'lib'), { recursive: true });
  await build({
    absWorkingDir: ROOT,
    entryPoints: [join(ROOT, 'cli', 'agent-main.ts')],
    outfile: join(folder, 'lib', 'ponte.mjs'),
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    // Some of the packages are CommonJS and ask for `require`.
    banner: { js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);` },
    keepNames: true,
    legalComments: 'linked',
    logLevel: 'warning',
  });
  await copyFile(join(ROOT, 'node_modules', 'node', 'bin', 'node'), join(folder, 'lib', 'node'));
  await chmod(join(folder, 'lib', 'node'), 0o755);
  for (const [from, to] of FILES) {
    await mkdir(dirname(join(folder, to)), { recursive: true });
    await cp(join(ROOT, from), join(folder, to), {
      recursive: true,
      filter: (path) => basename(path) !== '__pycache__',
    });
  }
  await writeFile(join(folder, 'SHA256SUMS'), await digestsBelow(folder));
  const archive = join(out, `${name}.tar.gz`);
  const same = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--mode=u+rwX,go+rX,go-w'];
  await run(['tar', ...same, '--use-compress-program=gzip -n', '-cf', archive, '-C', out, name]);
  await rm(folder, { recursive: true });
  const sha256 = await fileDigest(archive);
  await writeFile(`${archive}.sha256`, `${sha256}  ${basename(archive)}\n`);
  return { archive, sha256, sizeBytes: (await stat(archive)).size };
}

/** One line per file, as sha256sum writes and checks them. */
async function digestsBelow(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const lines = await Promise.all(
    paths.sort().map(async (path) => `${await fileDigest(path)}  ${path.slice(folder.length + 1)}\n`),
  );
  return lines.join('');
}
