import { readFileSync } from 'node:fs';
import { runAgentWith } from '#bridge-agent/daemon.ts';
import { TestSite } from '#test/bridge-agent/site.ts';

/**
 * An agent in a process of its own, for tests that kill it.
 * Usage: agent-process.ts SITE_FOLDER OVERRIDES_FILE [FAULT_POINT]; at the fault point it kills itself.
 */
const [, , root = '', overridesFile = '', killAt] = process.argv;
const overrides: unknown = JSON.parse(readFileSync(overridesFile, 'utf8'));
const site = new TestSite(root, typeof overrides === 'object' && overrides !== null ? overrides : {});
const stop = new AbortController();
const drain = new AbortController();
process.once('SIGINT', () => stop.abort());
process.once('SIGTERM', () => drain.abort());
const parts = site.parts((name) => {
  if (name === killAt) process.kill(process.pid, 'SIGKILL');
});
await runAgentWith(parts, site.configuration, stop.signal, drain.signal);
