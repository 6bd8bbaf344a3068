import { verificationEndSchema } from '#core/verification-order.ts';
import { handler as stack } from '#functions/handler.ts';
import { withScratch } from '#functions/scratch.ts';
import { readFinished, unsound } from '#functions/unsound.ts';
import { concludeCatalogue } from '#functions/verification.ts';

/** Judges the packed collection as a whole, by what was found in its partitions, before anyone sees it. */
export const handler = stack(verificationEndSchema, ({ campaign, ...lists }, { table, lake, log }) =>
  withScratch(async (scratch) => {
    const { catalogue, rows } = await readFinished(table, campaign);
    const report = await concludeCatalogue(catalogue, rows, lists, { lake, scratch });
    log.info('Catalogue:Verified', { campaign, sound: report.sound, rows: report.rows, findings: report.findings });
    const [finding, ...others] = report.findings;
    if (finding) {
      const more = others.length + report.suppressed;
      const rest = more > 0 ? ` (and ${more} more)` : '';
      throw unsound(`${finding.code} in ${finding.where}: ${finding.sentence}${rest}`);
    }
    return { rows: report.rows, files: report.files };
  }),
);
