import { readRelease } from '#core/chunk-book.ts';
import { sha256 } from '#core/digest.ts';
import { chunkExecutionSchema } from '#core/intake.ts';
import { ingestManifest } from '#core/manifest-book.ts';
import { isComplete, manifestObjectKey } from '#core/release.ts';
import { handler as stack } from '#functions/handler.ts';
import { setAside } from '#functions/set-aside.ts';

/** Takes the manifest that lies in the landing bucket now. A wrong one is refused with its reason on the release. */
export const handler = stack(chunkExecutionSchema, async ({ release }, services) => {
  const bytes = await services.landing.getBytes(manifestObjectKey(release));
  if (!bytes) return { kind: 'refused', reason: 'the object was removed' };
  const digest = sha256(bytes);
  const verdict = await ingestManifest(services.table, release, bytes, digest, {
    onRefused: (chunk) => setAside(chunk, services),
    onVerified: ({ name }) =>
      services.intake.send({ version: 1, kind: 'chunk', release, name, after: `manifest ${digest}` }),
  });
  services.log.info('Manifest:Taken', { release, ...verdict });
  if (isComplete(await readRelease(services.table, release))) {
    await services.intake.send({ version: 1, kind: 'campaign', release });
  }
  return verdict;
});
