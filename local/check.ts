import { checkSources } from '#local/source-checks.ts';

/** `npm run check`: format, lint, types and dead code, in under a minute. */
const results = await checkSources(console.log);
process.exitCode = results.every((result) => result.passed) ? 0 : 1;
