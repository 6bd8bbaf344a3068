import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { InputError } from '#core/errors.ts';

/** What is known of a cluster before its first job. What is not established is left out, and the engineer is asked. */
const siteProfileSchema = z.strictObject({
  description: z.string(),
  /** Where each value is from. */
  sources: z.array(z.string()).min(1),
  scheduler: z.looseObject({ kind: z.literal('slurm'), partition: z.string().optional() }),
  /** Fields of the agent's `limits`; checked with the whole configuration. */
  limits: z.record(z.string(), z.number()),
});
type SiteProfile = z.infer<typeof siteProfileSchema>;

/**
 * @param folder of the profiles, one `{site}.json` each
 * @throws {InputError} `SITE_UNKNOWN` that lists those there are.
 */
export async function readSiteProfile(folder: string, site: string): Promise<SiteProfile> {
  const known = (await readdir(folder)).filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -5));
  if (!known.includes(site)) {
    throw new InputError(
      `there is no profile of a site ${JSON.stringify(site)}; there are ${known.sort().join(', ')}`,
      {
        code: 'SITE_UNKNOWN',
        hint: `Write one beside them in ${folder}, or write the configuration by hand (docs/site.md).`,
      },
    );
  }
  return siteProfileSchema.parse(JSON.parse(await readFile(join(folder, `${site}.json`), 'utf8')));
}
