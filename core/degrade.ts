import { z } from 'zod';
import { type AccountRow, capOf, reservedOf, spentOf } from '#core/account.ts';
import { CURRENCIES, isCapped } from '#core/amount.ts';
import { campaignPartition } from '#core/campaign.ts';
import { DEGRADE_STEPS, type Degrade, type DegradeStep, rank } from '#core/degrade-order.ts';
import { ROW_IS_NEW, scan, type Table } from '#core/table.ts';

/** What is spent and held by leases, over the cap, in the currency where that is most. */
export function shareInUse(account: AccountRow): { readonly share: number; readonly currency: string } {
  const [cap, spent, reserved] = [capOf(account), spentOf(account), reservedOf(account)];
  return CURRENCIES.filter((currency) => isCapped(cap[currency]))
    .map((currency) => ({ currency, share: (spent[currency] + reserved[currency]) / cap[currency] }))
    .reduce((most, each) => (each.share > most.share ? each : most), { share: 0, currency: 'microUsd' });
}

export interface Degraded {
  readonly step: DegradeStep;
  readonly reason: string;
}

/** The last declared step whose share is reached; null while none is. A raised cap takes it back. */
export function degradedTo(declared: Degrade, account: AccountRow): Degraded | null {
  const { share, currency } = shareInUse(account);
  const reached = declared.filter(({ fromShare }) => share >= fromShare).at(-1);
  if (!reached) return null;
  const percent = (value: number) => `${(100 * value).toFixed(1)} %`;
  const used = `${percent(share)} of the cap of ${currency} is spent or reserved`;
  return {
    step: reached.step,
    reason: `${reached.step}: ${used}, and the step holds from ${percent(reached.fromShare)} on`,
  };
}

export const holdsAt = (degraded: Degraded | null, step: DegradeStep): boolean =>
  degraded !== null && rank(degraded.step) >= rank(step);

const PREFIX = 'G#';
const degradedRowSchema = z.object({ step: z.enum(DEGRADE_STEPS), reason: z.string(), at: z.string() });
export type DegradedRow = z.infer<typeof degradedRowSchema>;

/** Keeps when and why a step was first applied. */
export const noteDegraded = (table: Table, campaign: string, { step, reason }: Degraded, at: Date) =>
  table.write([
    {
      kind: 'put',
      item: { pk: campaignPartition(campaign), sk: `${PREFIX}${step}`, step, reason, at: at.toISOString() },
      when: [ROW_IS_NEW],
    },
  ]);

/** The steps that were applied, in the order of the steps. */
export async function degradedSteps(table: Table, campaign: string): Promise<readonly DegradedRow[]> {
  const rows: DegradedRow[] = [];
  for await (const row of scan(table, campaignPartition(campaign), PREFIX)) rows.push(degradedRowSchema.parse(row));
  return rows.sort((one, other) => rank(one.step) - rank(other.step));
}
