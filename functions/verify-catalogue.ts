import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { verifyCatalogue } from '#adapters/hats-verifier.ts';
import { enterStage, readCampaign } from '#core/campaign-book.ts';
import { readDocument } from '#core/documents.ts';
import { InvariantError } from '#core/errors.ts';
import { MANIFEST } from '#core/hats/layout.ts';
import { manifestSchema } from '#core/hats/manifest.ts';
import { catalogueOrderSchema, filesPrefix, packingPlanSchema } from '#core/partition-task.ts';
import { handler as stack } from '#functions/handler.ts';
import { withScratch } from '#functions/scratch.ts';

/**
 * Looks at the packed collection as its receiver would, before anyone sees it. The whole collection passes through the
 * function's disk (10 GB: about 60 million objects with p(z) of two algorithms); beyond that it has to be verified by partition.
 */
export const handler = stack(catalogueOrderSchema, ({ campaign, plan: planRef }, { table, lake, clock, log }) =>
  withScratch(async (folder) => {
    const plan = await readDocument(lake, planRef, packingPlanSchema);
    const { catalogue, rows: plannedRows } = await readCampaign(table, campaign);
    if (!catalogue) throw unsound('the catalogue was not finished');
    await enterStage(table, campaign, 'verifying', clock.now());
    const collection = join(folder, 'collection');
    const { files } = await readDocument(lake, catalogue.manifest, manifestSchema);
    for (const path of [MANIFEST, ...files.map((file) => file.path)]) {
      await mkdir(dirname(join(collection, path)), { recursive: true });
      await lake.getFile(`${filesPrefix(plan)}${path}`, join(collection, path));
    }
    const report = await verifyCatalogue({
      folder: collection,
      expectedRows: plannedRows,
      manifestSha256: catalogue.manifest.sha256,
      database: { threads: 1, memoryLimit: '900MiB', temporaryFolder: join(folder, 'spill') },
    });
    log.info('Catalogue:Verified', { campaign, sound: report.sound, rows: report.rows, findings: report.findings });
    const [finding] = report.findings;
    if (finding) throw unsound(`${finding.code} in ${finding.where}: ${finding.sentence}`);
    return { rows: report.rows, files: report.files };
  }),
);

function unsound(message: string): InvariantError {
  return new InvariantError(message, {
    code: 'CATALOGUE_UNSOUND',
    hint: 'Nothing was delivered. The packed collection stays in the lake for a look with ponte verify.',
  });
}
