import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GENERATED_DOCUMENTS, regenerated } from '#local/generated.ts';

/** `npm run generate`: writes the parts of the documents that are made from code and schemas, in their places. */
const ROOT = join(import.meta.dirname, '..');
for (const path of GENERATED_DOCUMENTS) {
  const before = await readFile(join(ROOT, path), 'utf8');
  const after = regenerated(path, before);
  if (after !== before) await writeFile(join(ROOT, path), after);
  console.log(`${after === before ? 'as it was' : 'written  '} ${path}`);
}
