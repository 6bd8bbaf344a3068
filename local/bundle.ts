import { join, resolve } from 'node:path';
import { makeAgentBundle } from '#local/agent-bundle.ts';

/** `npm run bundle [-- FOLDER]`: the archive that a site installs its agent from (docs/site.md), in FOLDER or in dist/. */
const out = resolve(process.argv[2] ?? join(import.meta.dirname, '..', 'dist'));
console.error('bundling the agent (a few seconds) ...');
const { archive, sha256, sizeBytes } = await makeAgentBundle(out);
console.log(`${archive}\n  ${(sizeBytes / 1e6).toFixed(0)} MB, sha256 ${sha256}`);
