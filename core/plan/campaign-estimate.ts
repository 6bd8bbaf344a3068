import { z } from 'zod';
import { CURRENCIES, type Currency } from '#core/amount.ts';
import { campaignPartition } from '#core/campaign.ts';
import { releaseParts } from '#core/campaign-book.ts';
import type { ObjectRef } from '#core/job.ts';
import type { JobInput } from '#core/job-order.ts';
import { type CostEstimate, estimateJobs } from '#core/plan/estimate.ts';
import { batchPart, inBatches } from '#core/plan/plan.ts';
import type { StageSpending } from '#core/plan/spending.ts';
import { batchInput, isEstimated, trainingOf } from '#core/plan/stage-inputs.ts';
import type { ReleaseSpec } from '#core/release.ts';
import { type Key, ROW_IS_NEW, type Table } from '#core/table.ts';

const interval = z.object({ mean: z.number(), low: z.number(), high: z.number() });
const stageSchema = z.object({
  kind: z.enum(['inform', 'validate', 'estimate']),
  algorithm: z.string(),
  jobs: z.int().nonnegative(),
  basis: z.enum(['MEASURED', 'PILOT', 'ASSUMED']),
  samples: z.int().nonnegative(),
  coreSeconds: interval,
  microUsd: interval,
  egressBytes: interval,
});
/** What the jobs of one kind and algorithm that a campaign had to run were expected to cost. */
export type PlannedStage = z.infer<typeof stageSchema>;

const plannedSchema = z.object({ at: z.string(), stages: z.array(stageSchema) });
const plannedKey = (campaign: string): Key => ({ pk: campaignPartition(campaign), sk: 'PLAN' });

type Kind = PlannedStage['kind'];

/** The rows and parts of a release's campaign, in one pass, and what each stage that is not done yet will cost. */
export async function estimateCampaign(table: Table, spec: ReleaseSpec, campaign: string) {
  const { algorithms, partsPerBatch } = spec.campaign;
  const models = new Map<string, ObjectRef | null>();
  const inputs: { readonly kind: Kind; readonly algorithm: string; readonly input: JobInput }[] = [];
  for (const algorithm of algorithms) {
    const { model, validated, inform, validate } = await trainingOf(table, spec, algorithm);
    models.set(algorithm, model);
    if (!model) inputs.push({ kind: 'inform', algorithm, input: inform });
    if (!validated) inputs.push({ kind: 'validate', algorithm, input: validate });
  }
  let [rows, parts] = [0, 0];
  for await (const batch of inBatches(releaseParts(table, spec.release), partsPerBatch)) {
    const own = batch.map(batchPart);
    rows += own.reduce((sum, part) => sum + part.rows, 0);
    parts += own.length;
    for (const [algorithm, model] of models) {
      if (model && (await isEstimated(table, spec, algorithm, model, own))) continue;
      inputs.push({ kind: 'estimate', algorithm, input: batchInput(spec, algorithm, own, model) });
    }
  }
  const stages: PlannedStage[] = [];
  for (const algorithm of algorithms) {
    for (const kind of ['inform', 'validate', 'estimate'] as const) {
      const jobs = inputs.flatMap((each) => (each.kind === kind && each.algorithm === algorithm ? [each.input] : []));
      if (jobs.length === 0) continue;
      const cost: CostEstimate = await estimateJobs(table, spec, { kind, algorithm }, jobs, campaign);
      stages.push({ kind, algorithm, jobs: jobs.length, ...cost });
    }
  }
  return { rows, parts, stages };
}

/** Keeps the estimate that a campaign began with; a later beginning of the same campaign does not replace it. */
export const keepEstimate = (table: Table, campaign: string, stages: readonly PlannedStage[], at: Date) =>
  table.write([
    {
      kind: 'put',
      item: { ...plannedKey(campaign), at: at.toISOString(), stages: stages.map((stage) => ({ ...stage })) },
      when: [ROW_IS_NEW],
    },
  ]);

export async function readEstimate(table: Table, campaign: string): Promise<readonly PlannedStage[]> {
  const row = plannedSchema.safeParse(await table.get(plannedKey(campaign)));
  return row.success ? row.data.stages : [];
}

/** One stage against its interval, in one currency; never summed over them. */
export interface Comparison {
  readonly kind: string;
  readonly algorithm: string;
  readonly basis: PlannedStage['basis'];
  readonly currency: Currency;
  readonly estimate: PlannedStage['coreSeconds'];
  readonly actual: number;
  readonly hit: boolean;
}

/** Whether what each stage took lies in the interval that it began with. */
export function compareStages(
  planned: readonly PlannedStage[],
  spent: readonly StageSpending[],
): readonly Comparison[] {
  return planned.flatMap((stage) => {
    const { kind, algorithm, basis } = stage;
    const found = spent.find((each) => each.kind === kind && each.algorithm === algorithm);
    return CURRENCIES.map((currency): Comparison => {
      const [estimate, actual] = [stage[currency], found?.actual[currency] ?? 0];
      const hit = estimate.low <= actual && actual <= estimate.high;
      return { kind, algorithm, basis, currency, estimate, actual, hit };
    });
  });
}
