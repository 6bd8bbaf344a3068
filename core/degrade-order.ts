import { z } from 'zod';
import type { CampaignSpec, ReleaseSpec } from '#core/release.ts';
import type { KeptPdf } from '#core/work.ts';

/**
 * How a campaign does less, in this order: without RAIL's own p(z) as an archive; without p(z) at all, point estimates
 * alone; only the batches that have a priority tract; nothing more. What is not done is put off, and done when the cap is
 * raised; what was done with less is not done again.
 */
export const DEGRADE_STEPS = ['withoutArchive', 'pointEstimates', 'priorityTracts', 'defer'] as const;
export type DegradeStep = (typeof DEGRADE_STEPS)[number];

export const rank = (step: DegradeStep) => DEGRADE_STEPS.indexOf(step);

/** Declared with the campaign: from which share of a cap on each step holds. */
export const degradeSchema = z
  .array(z.strictObject({ step: z.enum(DEGRADE_STEPS), fromShare: z.number().gt(0).max(1) }))
  .min(1)
  .refine(
    (steps) =>
      steps.slice(1).every(({ step, fromShare }, index) => {
        const before = steps[index];
        return before === undefined || (rank(before.step) < rank(step) && before.fromShare < fromShare);
      }),
    `the steps come in the order ${DEGRADE_STEPS.join(', ')}, each from a larger share on`,
  );
export type Degrade = z.infer<typeof degradeSchema>;

/** Why a declared order cannot be followed, in a sentence; null when it can. */
export function degradeProblem(
  { degrade, priorityTracts, archive }: CampaignSpec,
  { tract }: Pick<ReleaseSpec['profile'], 'tract'>,
): string | null {
  const has = (step: DegradeStep) => degrade?.some((declared) => declared.step === step) === true;
  if (priorityTracts && !tract) return 'it names priority tracts, and the profile has no tract column';
  if (has('priorityTracts') && !priorityTracts) return 'the step priorityTracts needs priorityTracts';
  if (has('withoutArchive') && archive !== true) return 'the step withoutArchive needs archive: true';
  return null;
}

/** What an estimate keeps of p(z) from a step on; null from the beginning. */
export interface KeptLevel {
  readonly step: DegradeStep | null;
  readonly kept: KeptPdf;
}

/** What the estimates of a campaign may leave, the most first: as it says, and as each step it declares has it. */
export function keptLevels({
  archive = false,
  degrade = [],
}: Pick<CampaignSpec, 'archive' | 'degrade'>): readonly [KeptLevel, ...KeptLevel[]] {
  const less = degrade.flatMap(({ step }): KeptLevel[] => {
    if (step === 'withoutArchive') return [{ step, kept: { archive: false, pdf: true } }];
    return step === 'pointEstimates' ? [{ step, kept: { archive: false, pdf: false } }] : [];
  });
  return [{ step: null, kept: { archive, pdf: true } }, ...less];
}
