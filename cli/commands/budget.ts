import { type Command, InvalidArgumentError, Option } from 'commander';
import { openCloud } from '#cli/context.ts';
import { findCampaign } from '#cli/operations/look.ts';
import { answer, type OutputOptions, table } from '#cli/output.ts';
import {
  ACCOUNTS,
  type AccountKind,
  type AccountName,
  type AccountRow,
  accountFor,
  availableOf,
  capOf,
  kill,
  pauseAccount,
  readKill,
  reservedOf,
  setCap,
  spentOf,
  unkill,
} from '#core/account.ts';
import { amountText, type Currency } from '#core/amount.ts';
import { InputError } from '#core/errors.ts';
import { sweepLeases } from '#core/lease-sweep.ts';

interface CapOptions extends OutputOptions {
  readonly usd?: number;
  readonly coreHours?: number;
  readonly egressGb?: number;
}

export function budgetCommand(program: Command): void {
  const budget = program.command('budget').description('caps, what is spent and held, and the kill switch');
  const account = () => new Option('--of <kind>', 'whose account').choices(ACCOUNTS).default('campaign');
  budget
    .command('show')
    .description('what an account has, holds and spent')
    .argument('<name>', 'a campaign, a release, or a month as YYYY-MM')
    .addOption(account())
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte budget show 2026-11 --of month')
    .action((name: string, options: OutputOptions & { of: AccountKind }) =>
      answer(options, async () => {
        const cloud = await openCloud();
        const named = await accountName(cloud, options.of, name);
        const row = await accountFor(cloud.table, named);
        const killed = await readKill(cloud.table);
        return { json: { ...named, ...row, killed }, text: accountText(named, row, killed?.reason ?? null) };
      }),
    );
  budget
    .command('cap')
    .description('set a cap; a raise lets a paused account reserve again')
    .argument('<name>', 'a campaign, a release, or a month as YYYY-MM')
    .addOption(account())
    .option('--usd <number>', 'of the control plane', positive)
    .option('--core-hours <number>', "of the site's computing", positive)
    .option('--egress-gb <number>', 'that leave the cloud, in 1e9 bytes', positive)
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte budget cap dc2-demo --core-hours 40')
    .action((name: string, options: CapOptions & { of: AccountKind }) =>
      answer(options, async () => {
        const cloud = await openCloud();
        const named = await accountName(cloud, options.of, name);
        const caps = capsOf(options);
        if (caps.length === 0) {
          throw new InputError('no cap was named', {
            code: 'NO_CAP',
            hint: 'Name at least one of --usd, --core-hours and --egress-gb.',
          });
        }
        for (const [currency, cap] of caps) await setCap(cloud.table, named, currency, cap);
        const row = await accountFor(cloud.table, named);
        return {
          json: { ...named, ...row },
          text: accountText(named, row, null),
          next: named.kind === 'campaign' ? `ponte campaign resume ${named.name}` : null,
        };
      }),
    );
  budget
    .command('pause')
    .description('start nothing more in an account; what runs ends')
    .argument('<name>', 'a campaign, a release, or a month as YYYY-MM')
    .addOption(account())
    .requiredOption('--reason <text>', 'why; everybody who is refused is told')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte budget pause dc2-demo --reason "the templates are wrong"')
    .action((name: string, options: OutputOptions & { of: AccountKind; reason: string }) =>
      answer(options, async () => {
        const cloud = await openCloud();
        const named = await accountName(cloud, options.of, name);
        await accountFor(cloud.table, named);
        await pauseAccount(cloud.table, named, options.reason);
        const row = await accountFor(cloud.table, named);
        return { json: { ...named, ...row }, text: accountText(named, row, null) };
      }),
    );
  budget
    .command('sweep')
    .description('charge leases whose time is over at their worst case')
    .argument('<campaign>', 'a campaign, or a release with one campaign')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte budget sweep dc2-demo')
    .action((name: string, options: OutputOptions) =>
      answer(options, async () => {
        const cloud = await openCloud();
        const campaign = await findCampaign(cloud, name);
        const expired = await sweepLeases(cloud.table, campaign, new Date());
        return { json: { campaign, expired }, text: `${expired} leases expired` };
      }),
    );
  budget
    .command('kill')
    .description('the kill switch: no job of any campaign starts')
    .option('--reason <text>', 'why; everybody who is refused is told')
    .option('--off', 'let jobs start again')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte budget kill --reason "the bill is wrong"')
    .action((options: OutputOptions & { reason?: string; off?: boolean }) =>
      answer(options, async () => {
        const cloud = await openCloud();
        if (!options.off && !options.reason) {
          throw new InputError('the kill switch wants a reason', {
            code: 'NO_REASON',
            hint: 'Add --reason "why"; --off lets jobs start again.',
          });
        }
        if (options.off) await unkill(cloud.table);
        else await kill(cloud.table, options.reason ?? '', await cloud.identity());
        const killed = await readKill(cloud.table);
        return { json: { killed }, text: killed ? `nothing starts: ${killed.reason}` : 'jobs may start' };
      }),
    );
}

function positive(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError('must be a number above 0');
}

/** Caps as whole numbers of the ledger's units. */
function capsOf({ usd, coreHours, egressGb }: CapOptions): readonly (readonly [Currency, number])[] {
  return [
    ...(usd === undefined ? [] : [['microUsd', Math.round(usd * 1e6)] as const]),
    ...(coreHours === undefined ? [] : [['coreSeconds', Math.round(coreHours * 3600)] as const]),
    ...(egressGb === undefined ? [] : [['egressBytes', Math.round(egressGb * 1e9)] as const]),
  ];
}

async function accountName(
  cloud: Parameters<typeof findCampaign>[0],
  kind: AccountKind,
  name: string,
): Promise<AccountName> {
  if (kind === 'month' && !/^\d{4}-(0[1-9]|1[0-2])$/.test(name)) {
    throw new InputError(`${name} is no month`, { code: 'MONTH_UNREADABLE', hint: 'Write it as YYYY-MM.' });
  }
  return { kind, name: kind === 'campaign' ? await findCampaign(cloud, name) : name };
}

function accountText({ kind, name }: AccountName, row: AccountRow, killed: string | null): string {
  return [
    `${kind} ${name}: ${row.state}${row.reason ? `, ${row.reason}` : ''}`,
    table(
      ['', 'amount'],
      [
        ['cap', amountText(capOf(row))],
        ['spent', amountText(spentOf(row))],
        ['held by leases', amountText(reservedOf(row))],
        ['available', amountText(availableOf(row))],
      ],
    ),
    ...(killed ? [`the kill switch is on: ${killed}`] : []),
  ].join('\n');
}
