import { z } from 'zod';
import { type Amount, amountOf, type Currency, withoutGaps } from '#core/amount.ts';
import { campaignPartition } from '#core/campaign.ts';
import { InputError } from '#core/errors.ts';
import { releasePartition } from '#core/release.ts';
import { equals, type Key, ROW_EXISTS, ROW_IS_NEW, type Table } from '#core/table.ts';

/** What a cap is on. Every lease counts in its campaign, in its release and in the month that it was taken in. */
export const ACCOUNTS = ['campaign', 'release', 'month'] as const;
export type AccountKind = (typeof ACCOUNTS)[number];

const count = z.int().default(0);
export const accountRowSchema = z.object({
  microUsdCap: z.int(),
  coreSecondsCap: z.int(),
  egressBytesCap: z.int(),
  microUsdAvailable: z.int(),
  coreSecondsAvailable: z.int(),
  egressBytesAvailable: z.int(),
  microUsdSpent: z.int(),
  coreSecondsSpent: z.int(),
  egressBytesSpent: z.int(),
  /** `paused` opens again when the cap is raised or someone resumes it; `closed` does not. */
  state: z.enum(['open', 'paused', 'closed']),
  /** Why it is paused or closed. */
  reason: z.string().nullable().default(null),
  /** Settled so far, for the breakers: jobs, their units, the units that failed, what had been expected of them. */
  attempts: count,
  units: count,
  failedUnits: count,
  microUsdExpected: count,
  coreSecondsExpected: count,
  /** What those jobs were then settled at. */
  microUsdMeasured: count,
  coreSecondsMeasured: count,
});
export type AccountRow = z.infer<typeof accountRowSchema>;

/** Whose account: one name for each kind. `month` is `YYYY-MM`, UTC. */
export interface AccountName {
  readonly kind: AccountKind;
  readonly name: string;
}

const BUDGET = 'B';
export function accountKey({ kind, name }: AccountName): Key {
  if (kind === 'month') return { pk: BUDGET, sk: `MONTH#${name}` };
  return { pk: kind === 'campaign' ? campaignPartition(name) : releasePartition(name), sk: 'LEDGER' };
}

export const monthOf = (at: Date) => at.toISOString().slice(0, 7);

export const capOf = (row: AccountRow) => amountOf((currency) => row[`${currency}Cap`]);
export const availableOf = (row: AccountRow) => amountOf((currency) => row[`${currency}Available`]);
export const spentOf = (row: AccountRow) => amountOf((currency) => row[`${currency}Spent`]);
/** What leases hold that are neither settled nor expired. */
export const reservedOf = (row: AccountRow) =>
  amountOf((currency) => row[`${currency}Cap`] - row[`${currency}Available`] - row[`${currency}Spent`]);

/** `{microUsdAvailable: ..}` and so on: amounts as the columns that conditions and additions take. */
export function columns(suffix: 'Available' | 'Spent' | 'Cap', amount: Amount): Record<string, number> {
  return Object.fromEntries(Object.entries(amount).map(([currency, value]) => [`${currency}${suffix}`, value]));
}

/** Opens an account; opening it again changes nothing. */
export async function openAccount(table: Table, name: AccountName, caps: Amount): Promise<void> {
  const nothing = amountOf(() => 0);
  const row = { ...columns('Cap', caps), ...columns('Available', caps), ...columns('Spent', nothing), state: 'open' };
  await table.write([{ kind: 'put', item: { ...accountKey(name), ...row }, when: [ROW_IS_NEW] }]);
}

export async function readAccount(table: Table, name: AccountName): Promise<AccountRow | null> {
  const row = await table.get(accountKey(name));
  return row ? accountRowSchema.parse(row) : null;
}

/** The account, opened without a cap where nobody declared one. */
export async function accountFor(table: Table, name: AccountName): Promise<AccountRow> {
  const found = await readAccount(table, name);
  if (found) return found;
  await openAccount(table, name, withoutGaps({}));
  return accountFor(table, name);
}

/** Nothing more is reserved; what holds a lease ends. The first reason stays. */
export const pauseAccount = (table: Table, name: AccountName, reason: string) =>
  table.write([
    { kind: 'update', key: accountKey(name), set: { state: 'paused', reason }, when: [equals('state', 'open')] },
  ]);

/** Lets a paused account reserve again; the breakers count anew from here. */
export const resumeAccount = (table: Table, name: AccountName) =>
  table.write([
    {
      kind: 'update',
      key: accountKey(name),
      set: { ...FRESH_COUNTS, state: 'open', reason: null },
      when: [equals('state', 'paused')],
    },
  ]);
const FRESH_COUNTS = {
  attempts: 0,
  units: 0,
  failedUnits: 0,
  microUsdExpected: 0,
  coreSecondsExpected: 0,
  microUsdMeasured: 0,
  coreSecondsMeasured: 0,
};

/** How often two that change one cap may meet. */
const ATTEMPTS = 8;

/**
 * Sets the cap of one currency; what is available moves by the difference. A paused account is resumed by a raise.
 * @throws {InputError} `CAP_BELOW_SPENT`: a cap cannot undo what was spent or is held by leases.
 */
export async function setCap(table: Table, name: AccountName, currency: Currency, cap: number): Promise<AccountRow> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const row = await accountFor(table, name);
    const before = row[`${currency}Cap`];
    const used = before - row[`${currency}Available`];
    if (cap < used) {
      throw new InputError(`${used} ${currency} of the ${name.kind} ${name.name} are spent or reserved already`, {
        code: 'CAP_BELOW_SPENT',
        hint: `Name a cap of at least ${used}; a campaign that must not go on is stopped, not capped.`,
      });
    }
    const { written } = await table.write([
      {
        kind: 'update',
        key: accountKey(name),
        set: { [`${currency}Cap`]: cap },
        add: { [`${currency}Available`]: cap - before },
        // The very cap that was read, and no lease more than was looked at.
        when: [
          equals(`${currency}Cap`, before),
          { kind: 'atLeast', attribute: `${currency}Available`, value: before - cap },
        ],
      },
    ]);
    if (!written) continue;
    if (cap > before) await resumeAccount(table, name);
    return accountFor(table, name);
  }
  throw new InputError(`the cap of the ${name.kind} ${name.name} kept changing`, {
    code: 'CAP_CONTENDED',
    hint: 'Someone else changes it at the same time; look with ponte budget show and try again.',
  });
}

const KILL: Key = { pk: BUDGET, sk: 'KILL' };
/** Part of every reservation: while the switch is on, nothing starts anywhere. */
export const NOT_KILLED = { kind: 'check', key: KILL, when: [{ kind: 'absent', attribute: 'killed' }] } as const;

/** Turns the kill switch on, with the reason that everybody is then told. */
export const kill = (table: Table, reason: string, who: string) =>
  table.write([{ kind: 'put', item: { ...KILL, killed: true, reason, who } }]);

export const unkill = (table: Table) =>
  table.write([
    { kind: 'update', key: KILL, remove: ['killed'], when: [ROW_EXISTS, { kind: 'present', attribute: 'killed' }] },
  ]);

const killSchema = z.object({ killed: z.literal(true), reason: z.string(), who: z.string() });

/** Why everything stands still, or null. */
export async function readKill(table: Table): Promise<{ readonly reason: string; readonly who: string } | null> {
  const row = killSchema.safeParse(await table.get(KILL));
  return row.success ? row.data : null;
}
