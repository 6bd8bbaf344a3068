import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { checkSources } from '#local/source-checks.ts';

/** `npm test`: the sources, then every suite; ends with the one line that counts. Arguments go on to vitest. */
const ROOT = join(import.meta.dirname, '..');
const VITEST = join(ROOT, 'node_modules', '.bin', 'vitest');
const started = Date.now();
const resultSchema = z.object({
  numPassedTests: z.int(),
  numFailedTests: z.int(),
  numPendingTests: z.int(),
  testResults: z.array(z.object({ name: z.string(), status: z.string(), assertionResults: z.array(z.unknown()) })),
});

const only = process.argv.slice(2);
const sources = only.length > 0 ? [] : await checkSources(console.log);
const folder = await mkdtemp(join(tmpdir(), 'ponte-test-'));
try {
  const report = join(folder, 'report.json');
  const status = await vitest(report);
  const results = resultSchema.parse(JSON.parse(await readFile(report, 'utf8').catch(() => 'null')) ?? nothing(status));
  // A file that cannot even be loaded has no test that failed, and is a failure all the same.
  const broken = results.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0);
  const failedChecks = sources.filter((check) => !check.passed).length;
  const passed = results.numPassedTests + sources.length - failedChecks;
  const failed =
    results.numFailedTests +
    failedChecks +
    broken.length +
    (status === 0 || results.numFailedTests + broken.length > 0 ? 0 : 1);
  if (results.numPendingTests > 0) console.log(`skipped: ${results.numPendingTests}; their titles above say why`);
  console.log(`all of it took ${((Date.now() - started) / 60_000).toFixed(1)} minutes`);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}

function vitest(report: string): Promise<number | null> {
  const args = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...only];
  const child = spawn(VITEST, args, { cwd: ROOT, stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => child.kill(signal));
  return new Promise((resolve) => child.on('exit', resolve));
}

/** What counts when vitest ended before it could report. */
function nothing(status: number | null): z.input<typeof resultSchema> {
  console.error(`vitest ended with ${status} and no report`);
  const none = { numPassedTests: 0, numPendingTests: 0 };
  return { ...none, numFailedTests: 1, testResults: [] };
}
