import { z } from 'zod';
import { approvalRowSchema, requestApproval } from '#core/approval.ts';
import { enterStage, readCampaign, readEvaluation, readModel } from '#core/campaign-book.ts';
import { readRelease } from '#core/chunk-book.ts';
import { readDocument, writeDocument } from '#core/documents.ts';
import { nameSchema } from '#core/job.ts';
import { validationPage } from '#core/report/validation-page.ts';
import { evaluationSchema, type ValidationReport } from '#core/report/validation-report.ts';
import { handler as stack } from '#functions/handler.ts';

const inputSchema = z.object({ campaign: nameSchema, taskToken: z.string() });

/** Builds the validation report and waits for the coordinator; a decision on the same report answers at once. */
export const handler = stack(inputSchema, async ({ campaign, taskToken }, services) => {
  const { table, lake, clock, callback, log } = services;
  const row = await readCampaign(table, campaign);
  const { spec } = await readRelease(table, row.release);
  const algorithms: ValidationReport['algorithms'] = [];
  for (const algorithm of spec.campaign.algorithms) {
    const evaluation = await readEvaluation(table, campaign, algorithm);
    algorithms.push({
      algorithm,
      model: await readModel(table, campaign, algorithm),
      evaluation: await readDocument(lake, evaluation, evaluationSchema),
    });
  }
  const report: ValidationReport = {
    version: 1,
    campaign,
    release: row.release,
    title: spec.title,
    planDigest: row.planDigest,
    chunks: row.chunks,
    quarantinedChunks: row.quarantinedChunks,
    rows: row.rows,
    heldOut: spec.campaign.heldOut,
    trainingSet: spec.trainingSet,
    algorithms,
  };
  const document = await writeDocument(lake, `campaigns/${campaign}/validation.json`, report);
  const html = new TextEncoder().encode(validationPage(report));
  const page = await lake.putBytes(`campaigns/${campaign}/validation.html`, html, 'text/html; charset=utf-8');
  await enterStage(table, campaign, 'approval', clock.now());
  const approval = approvalRowSchema.parse(
    await requestApproval(table, {
      campaign,
      taskToken,
      planDigest: row.planDigest,
      report: document,
      page,
      requestedAt: clock.now().toISOString(),
    }),
  );
  log.info('Approval:Requested', { campaign, decided: approval.decision?.verdict ?? 'not yet' });
  if (approval.decision) await callback.succeed(taskToken, approval.decision);
  return { requested: true };
});
