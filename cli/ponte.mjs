#!/usr/bin/env node
// Starts the real command with the Node that the project brings, because the system's may be too old for it.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const bundled = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url));
const main = fileURLToPath(new URL('main.ts', import.meta.url));
if (!existsSync(bundled)) {
  console.error(
    'ponte: its packages are not installed\n  Run `npm ci` in its folder, or `npm start`, which does it itself.',
  );
  process.exit(1);
}
const child = spawn(bundled, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
// The child gets the terminal's Ctrl-C itself; this process only waits for it.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => signal === 'SIGTERM' && child.kill(signal));
child.on('exit', (status, signal) => process.exit(status ?? (signal === 'SIGINT' ? 130 : 1)));
