import type { Figure } from '#bench/bench.ts';
import type { Phase } from '#bench/cost/bill.ts';
import { costMicroUsd, PRICES, pricedUsage, sumOfUsage, type Usage } from '#core/price-book.ts';

type Tell = (figure: Figure) => void;

/** 20e9 objects in chunks of 130,000. */
const CHUNKS = 154_000;
const AIM_USD = 25;
const told = { better: 'lower', aim: null } as const;

/** What makes a table of what the sites answered; it goes with the rows, not with the calls. */
const PACKING =
  /(PlanPartitions|PackPartition|FinishCatalogue|PlanVerification|VerifyPartition|PlanIdRanges|VerifyIdRange|VerifyCatalogue|Deliver)$/;
const INTAKE = /^(Intake|machine Intake|operator)/;

const usd = (usage: Usage) => costMicroUsd(usage) * (CHUNKS / 1e6);

/** The bill by stage and by what is charged; by caller on the way. */
export function tellBill(usages: ReadonlyMap<string, Usage>, figure: Tell, say: (line: string) => void): void {
  for (const [by, usage] of usages)
    say(`${by.padEnd(34)} ${usd(usage).toFixed(2).padStart(6)} USD  ${usageText(usage)}`);
  const of = (test: (by: string) => boolean) =>
    sumOfUsage([...usages].flatMap(([by, usage]) => (test(by) ? [usage] : [])));
  const intake = of((by) => INTAKE.test(by));
  const packing = of((by) => PACKING.test(by));
  const jobs = of((by) => !INTAKE.test(by) && !PACKING.test(by));
  const controlPlane = sumOfUsage([intake, jobs]);
  for (const [name, usage] of Object.entries({ intake, jobs, packing })) {
    say(`per chunk, ${name}: ${JSON.stringify(usage)}`);
  }
  const tell = (name: string, value: number) => figure({ name, value, unit: 'USD', ...told });
  figure({
    ...{ name: 'control_plane_usd_per_20e9', value: usd(controlPlane), unit: 'USD' },
    ...{ better: 'lower', aim: AIM_USD },
  });
  const saved = controlPlane.lambdaGbSeconds * (PRICES.lambdaGbSecond - PRICES.lambdaGbSecondArm) * (CHUNKS / 1e6);
  tell('on_arm64_in_as_many_seconds_usd', usd(controlPlane) - saved);
  tell('intake_usd_per_20e9', usd(intake));
  tell('jobs_usd_per_20e9', usd(jobs));
  for (const [name, microUsd] of Object.entries(pricedUsage(controlPlane))) {
    const words = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    tell(`of_that_${words}_usd`, microUsd * (CHUNKS / 1e6));
  }
  tell('packing_and_verifying_usd_per_20e9', usd(packing));
  tell('everything_usd_per_20e9', usd(sumOfUsage([controlPlane, packing])));
}

function usageText(usage: Usage): string {
  const parts = Object.entries(usage).filter(([, amount]) => amount > 0);
  return parts.map(([name, amount]) => `${name} ${Number(amount.toPrecision(3))}`).join(', ');
}

/** Storage and what leaves the cloud, by the bytes of the chunks of real size. */
export function tellOutside({ chunks, lines }: Phase, figure: Tell, say: (line: string) => void): void {
  const bytes = (kind: string, by: RegExp, at: RegExp) =>
    lines.reduce(
      (sum, line) => (line.kind === kind && by.test(line.by) && at.test(line.at ?? '') ? sum + (line.bytes ?? 0) : sum),
      0,
    ) / chunks;
  const uploads = bytes('s3Put', /^operator$/, /landing/);
  const parts = bytes('s3Put', /^IntakeInspect$/, /lake/);
  const estimates = bytes('s3Put', /^Agent$/, /work\/estimate/);
  // Once in the lake, and once where it is delivered.
  const table = 2 * bytes('s3Put', /PackPartition$/, /lake/);
  const perMonth = (each: number) => ((each * CHUNKS) / 1e9) * (PRICES.s3GbMonth / 1e6);
  const out = (each: number) => ((each * CHUNKS) / 1e9) * (PRICES.egressGb / 1e6);
  const tell = (name: string, value: number) => figure({ name, value, unit: 'USD', ...told });
  tell('storage_usd_per_month', perMonth(uploads + parts + estimates + table));
  tell('of_that_uploads_usd', perMonth(uploads));
  tell('of_that_skinny_parts_usd', perMonth(parts));
  tell('of_that_estimates_usd', perMonth(estimates));
  tell('of_that_tables_usd', perMonth(table));
  tell('egress_to_sites_usd', out(bytes('s3Get', /^Agent$/, /skinny/)));
  tell('egress_of_a_delivery_usd', out(table / 2));
  say('storage is dominated by how many columns are uploaded, what leaves by p(z) at a byte a grid point');
}
