// What `npm start` and its like run first: plain JavaScript for the Node that happens to be there. It installs what the
// lock file names and hands over to the Node among it.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const OLDEST_NODE = 20;
const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const STAMP = join(ROOT, 'node_modules', '.ponte-lock');
const BUNDLED_NODE = join(ROOT, 'node_modules', '.bin', 'node');

const major = Number(process.versions.node.split('.')[0]);
if (major < OLDEST_NODE) fail(`Node ${process.versions.node} is too old`, `Install Node ${OLDEST_NODE} or newer.`);
installPackages();
runScript();

function installPackages() {
  const lock = createHash('sha256')
    .update(readFileSync(join(ROOT, 'package-lock.json')))
    .digest('hex');
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === lock && existsSync(BUNDLED_NODE)) return;
  console.log('installing the npm packages of the lock file (once; about half a minute with a warm cache) ...');
  const started = Date.now();
  const npm = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ['npm'];
  const args = [...npm.slice(1), 'ci', '--no-audit', '--no-fund', '--loglevel=error', '--progress=false'];
  const { status } = spawnSync(npm[0], args, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) fail('npm could not install the packages', 'Its message is above; a second try often helps.');
  writeFileSync(STAMP, lock);
  console.log(`  installed after ${((Date.now() - started) / 1000).toFixed(0)} s`);
}

/** `node local/bootstrap.mjs NAME ...` goes on as local/NAME.ts, in the project's own Node. */
function runScript() {
  const [name, ...rest] = process.argv.slice(2);
  const script = join(ROOT, 'local', `${name}.ts`);
  if (!name || !/^[a-z-]+$/.test(name) || !existsSync(script)) fail(`there is no script ${name}`, 'See `npm run`.');
  const PATH = `${join(ROOT, 'node_modules', '.bin')}:${process.env.PATH ?? ''}`;
  const child = spawn(BUNDLED_NODE, [script, ...rest], { cwd: ROOT, stdio: 'inherit', env: { ...process.env, PATH } });
  // A terminal's Ctrl-C reaches the child by itself; a signal to this process alone is passed on.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('exit', (status, signal) => process.exit(status ?? (signal === 'SIGINT' ? 130 : 143)));
}

function fail(message, hint) {
  console.error(`error: ${message}\n  ${hint}`);
  process.exit(1);
}
