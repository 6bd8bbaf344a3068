import type { Cloud } from '#cli/context.ts';
import { viewRelease } from '#cli/operations/look.ts';
import { resolveRegistration } from '#cli/operations/register-release.ts';
import { campaignName, planDigest, readChunkSet } from '#core/campaign.ts';
import { readCampaign } from '#core/campaign-book.ts';
import { readRelease } from '#core/chunk-book.ts';
import type { DegradeStep } from '#core/degrade-order.ts';
import { COLUMNS_DIGEST } from '#core/hats/columns.ts';
import type { JobInput } from '#core/job-order.ts';
import { type CostEstimate, estimateJobs } from '#core/plan/estimate.ts';
import { groupOf } from '#core/plan/fields.ts';
import { type Baseline, type PlannedUnit, planUnits, type UnitKind } from '#core/plan/plan.ts';
import { priorityOf } from '#core/priority.ts';
import type { ReleaseSpec } from '#core/release.ts';

export interface PlanOptions {
  readonly release: string;
  /** A registration file that is tried out on the release's chunks. */
  readonly whatIf?: string;
  /** Another release to compare with. */
  readonly against?: string;
  onUnit?(unit: PlannedUnit): Promise<void>;
}

/** The units of one kind and algorithm that share a fate. */
export interface PlanLine {
  readonly kind: UnitKind;
  readonly algorithm: string | null;
  readonly verdict: PlannedUnit['verdict'];
  /** Which kinds of fields differ, or why it is blocked; empty when it is simply new, or reused. */
  readonly because: string;
  readonly units: number;
  readonly rows: number;
}

export interface CampaignPlan {
  readonly release: string;
  readonly campaign: string;
  readonly comparedWith: string | null;
  readonly partsPerBatch: number;
  readonly lines: readonly PlanLine[];
  /** Of what is to run, by stage and algorithm. Chunks are derived by the cloud alone and take no core-hours. */
  readonly estimates: readonly StageEstimate[];
  /** The declared order of doing less near a cap. */
  readonly degrade: readonly DegradeLine[];
}

export type StageEstimate = CostEstimate & { readonly kind: string; readonly algorithm: string };

export interface DegradeLine {
  readonly step: DegradeStep;
  /** Of a cap, spent or reserved. */
  readonly fromShare: number;
  /** Core-seconds of the estimates that start once the step holds, if it held from the beginning. */
  readonly coreSeconds: number;
}

/** What a campaign of this release would reuse and run, and what that costs. Starts and writes nothing. */
export async function campaignPlan(cloud: Cloud, options: PlanOptions): Promise<CampaignPlan> {
  const { table } = cloud;
  const row = await readRelease(table, options.release);
  const spec = options.whatIf ? await resolveRegistration(table, options.whatIf) : row.spec;
  const baseline = await baselineOf(cloud, options, row.spec);
  const lines = new Map<string, PlanLine>();
  const jobs = new Map<string, Jobs>();
  const tracts = spec.campaign.priorityTracts ? { hasPriority: priorityOf(table, cloud.lake, spec) } : {};
  const columns = { now: COLUMNS_DIGEST, before: await deliveredColumns(cloud, options.release) };
  const request = { table, spec, release: options.release, baseline, columns, ...tracts };
  for await (const unit of planUnits(request)) {
    await options.onUnit?.(unit);
    count(lines, unit);
    if (unit.kind === 'chunk' || unit.kind === 'catalogue' || unit.algorithm === null) continue;
    if (unit.verdict !== 'run') continue;
    const key = `${unit.kind} ${unit.algorithm}`;
    const job = jobs.get(key) ?? { kind: unit.kind, algorithm: unit.algorithm, inputs: [], priority: [] };
    job.inputs.push(unit.input);
    if (unit.priority !== false) job.priority.push(unit.input);
    jobs.set(key, job);
  }
  const campaign = campaignName(row, planDigest(row, await readChunkSet(table, options.release)));
  const estimated = async (job: Jobs, inputs: readonly JobInput[]): Promise<StageEstimate> => {
    const { kind, algorithm } = job;
    return { kind, algorithm, ...(await estimateJobs(table, spec, { kind, algorithm }, inputs, campaign)) };
  };
  const [estimates, ofPriority]: [StageEstimate[], StageEstimate[]] = [[], []];
  const declared = spec.campaign.degrade ?? [];
  for (const job of jobs.values()) {
    estimates.push(await estimated(job, job.inputs));
    if (declared.some(({ step }) => step === 'priorityTracts')) ofPriority.push(await estimated(job, job.priority));
  }
  const comparedWith = baseline ? (baseline.campaign ?? baseline.spec.release) : null;
  const degrade = declared.map(({ step, fromShare }): DegradeLine => {
    const running = { withoutArchive: estimates, pointEstimates: estimates, priorityTracts: ofPriority, defer: [] }[
      step
    ];
    return { step, fromShare, coreSeconds: estimatesOnly(running) };
  });
  const { partsPerBatch } = spec.campaign;
  const about = { release: options.release, campaign, comparedWith, partsPerBatch };
  return { ...about, lines: [...lines.values()], estimates, degrade };
}

interface Jobs {
  readonly kind: 'inform' | 'validate' | 'estimate';
  readonly algorithm: string;
  readonly inputs: JobInput[];
  /** Of those that have a priority tract. */
  readonly priority: JobInput[];
}

const estimatesOnly = (stages: readonly StageEstimate[]) =>
  stages.reduce((sum, { kind, coreSeconds }) => sum + (kind === 'estimate' ? coreSeconds.mean : 0), 0);

/** Of the last catalogue of the release; null where none was made, or none that says. */
async function deliveredColumns(cloud: Cloud, release: string): Promise<string | null> {
  const { campaigns } = await viewRelease(cloud, release);
  let columns: string | null = null;
  for (const campaign of campaigns) columns = (await readCampaign(cloud.table, campaign)).catalogue?.columns ?? columns;
  return columns;
}

/** The release named, or for a what-if the registration that stands. */
async function baselineOf(cloud: Cloud, options: PlanOptions, standing: ReleaseSpec): Promise<Baseline | null> {
  const name = options.against ?? (options.whatIf ? options.release : null);
  if (name === null) return null;
  const { campaigns } = await viewRelease(cloud, name);
  const spec = name === options.release ? standing : (await readRelease(cloud.table, name)).spec;
  return { spec, campaign: campaigns.at(-1) ?? null };
}

function count(lines: Map<string, PlanLine>, unit: PlannedUnit): void {
  const { kind, algorithm, verdict, reason, changes, input } = unit;
  const differing = [...new Set(changes.map(({ field }) => groupOf(field)))].join(', ');
  const because = verdict === 'reuse' ? '' : (reason ?? differing);
  const key = JSON.stringify([kind, algorithm, verdict, because]);
  const { units, rows } = lines.get(key) ?? { units: 0, rows: 0 };
  lines.set(key, { kind, algorithm, verdict, because, units: units + 1, rows: rows + input.rows });
}
