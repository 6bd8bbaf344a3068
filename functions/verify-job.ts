import { z } from 'zod';
import { writeEvaluation, writeModel } from '#core/campaign-book.ts';
import type { Digest } from '#core/digest.ts';
import { readDocument } from '#core/documents.ts';
import { InvariantError } from '#core/errors.ts';
import {
  batchSchema,
  digestSchema,
  type JobAnswer,
  type JobResult,
  jobAnswerSchema,
  jobResultSchema,
  type ReturnedObject,
} from '#core/job.ts';
import { type JobOrder, jobOrderSchema, jobUsage } from '#core/job-order.ts';
import { expectedEgress } from '#core/lease.ts';
import { settle } from '#core/ledger.ts';
import { holds } from '#core/ports.ts';
import { priceMicroUsd } from '#core/price-book.ts';
import { ROW_IS_NEW } from '#core/table.ts';
import { estimateRowKey, posteriorRowKey, type WorkRow, workKeyOf } from '#core/work.ts';
import { handler as stack } from '#functions/handler.ts';
import type { Services } from '#functions/services.ts';

const inputSchema = z.object({ order: jobOrderSchema, workKey: digestSchema, answer: jobAnswerSchema });

/** After a job: checks that what the site says it returned is there, byte for byte, then records and settles it. */
export const handler = stack(inputSchema, async ({ order, workKey, answer }, services) => {
  if (answer.workKey !== workKey) throw mismatch(`the answer is of the work ${answer.workKey}, not of ${workKey}`);
  const result = await readDocument(services.lake, answer.result, jobResultSchema);
  for (const output of result.outputs) await checkOutput(output, services);
  await recordOutputs(order, result, services);
  await recordWork(order, workKey, answer, result, services);
  await settle(services.table, order.campaign, workKey, {
    outcome: answer.failedUnits === 0 ? 'succeeded' : 'failed',
    failedUnits: answer.failedUnits,
    at: services.clock.now(),
    facts: null,
    site: result.site,
    actual: {
      microUsd: priceMicroUsd(jobUsage(answer.units)),
      coreSeconds: Math.ceil(answer.coreSeconds),
      egressBytes: await expectedEgress(services.table, order.campaign, workKey),
    },
  });
  services.log.info('Job:Verified', { campaign: order.campaign, kind: order.kind, workKey, rows: answer.rows });
  return { workKey, rows: answer.rows, failedUnits: answer.failedUnits };
});

function mismatch(message: string): InvariantError {
  return new InvariantError(message, {
    code: 'RESULT_MISMATCH',
    hint: 'The agent at the site is of another version, or its scratch was changed; look at its log.',
  });
}

/** The sha256 was verified on arrival, by the store or by the agent's upload in parts, so a HEAD is enough. */
async function checkOutput(output: ReturnedObject, { lake }: Services): Promise<void> {
  const head = await lake.head(output.key);
  if (!head) throw mismatch(`the site returned ${output.key}, but it is not in the lake`);
  if (!holds(head, output)) {
    throw mismatch(`${output.key} in the lake is not what the site says it returned`);
  }
}

async function recordOutputs(order: JobOrder, result: JobResult, services: Services): Promise<void> {
  const { table, lake } = services;
  const { campaign, algorithm } = order;
  if (order.kind === 'inform') return void (await writeModel(table, campaign, algorithm, single(result, 'model')));
  if (order.kind === 'validate') {
    return void (await writeEvaluation(table, campaign, algorithm, single(result, 'evaluation')));
  }
  const batch = await readDocument(lake, order.batch, batchSchema);
  const failed = new Set(result.records.filter((record) => record.outcome === 'failed').map((record) => record.unitId));
  for (const part of batch.parts) {
    const points = result.outputs.find((output) => output.unitId === part.partId && output.name === 'points');
    if (points) {
      if (points.rows !== part.rows) {
        throw mismatch(
          `part ${part.partId} has ${part.rows} rows, but ${points.rows ?? 'no'} estimates of ${algorithm}`,
        );
      }
      const pdf = result.outputs.find((output) => output.unitId === part.partId && output.name === 'pdf');
      if (pdf?.rows !== part.rows) {
        throw mismatch(`part ${part.partId} has ${part.rows} rows, but ${pdf?.rows ?? 'no'} p(z) of ${algorithm}`);
      }
      await table.write([
        { kind: 'put', item: { ...estimateRowKey(campaign, part.partId, algorithm), ...points } },
        { kind: 'put', item: { ...posteriorRowKey(campaign, part.partId, algorithm), ...pdf } },
      ]);
    } else if (!failed.has(part.partId)) {
      throw mismatch(`the site answered without part ${part.partId}`);
    }
  }
}

function single(result: JobResult, name: ReturnedObject['name']) {
  const [output, ...others] = result.outputs.filter((candidate) => candidate.name === name);
  if (!output || others.length > 0) throw mismatch(`the site returned ${others.length + (output ? 1 : 0)} ${name}s`);
  return { key: output.key, sha256: output.sha256, sizeBytes: output.sizeBytes };
}

/** Finished work is recorded once; only work without a failed part may be used again. */
async function recordWork(
  order: JobOrder,
  workKey: Digest,
  answer: JobAnswer,
  result: JobResult,
  { table, clock }: Services,
): Promise<void> {
  if (answer.failedUnits > 0) return;
  const row: WorkRow = {
    workKey,
    campaign: order.campaign,
    algorithm: order.algorithm,
    answer,
    finishedAt: clock.now().toISOString(),
    seconds: result.records.reduce((sum, record) => sum + record.seconds.wall, 0),
  };
  await table.write([{ kind: 'put', item: { ...workKeyOf(workKey), ...row }, when: [ROW_IS_NEW] }]);
}
