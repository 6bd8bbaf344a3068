import { type Command, InvalidArgumentError } from 'commander';
import { forecastCampaign } from '#cli/operations/forecast.ts';
import { answer, type OutputOptions, table } from '#cli/output.ts';
import type { Forecast } from '#core/plan/forecast.ts';
import type { Interval } from '#core/plan/statistics.ts';

interface ForecastOptions extends OutputOptions {
  readonly objects: number;
  readonly site: string;
  readonly profile: string;
  readonly algorithm: readonly string[];
}

export function forecastCommand(program: Command): void {
  program
    .command('forecast')
    .description('run time, core-hours, storage and dollars of a table of so many objects, by algorithm')
    .requiredOption('--objects <number>', 'for instance 20e9', objects)
    .requiredOption('--site <name>', 'a file of schemas/sites')
    .option('--profile <name>', 'whose measured attempts count', 'lsst-dp1')
    .option('--algorithm <names...>', 'some of schemas/algorithms; all when left out', [])
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte forecast --objects 20e9 --site apollo --algorithm bpz fzboost')
    .action((options: ForecastOptions) =>
      answer(options, async () => {
        const { algorithm: algorithms, ...request } = options;
        const found = await forecastCampaign({ ...request, algorithms });
        return { json: found, text: forecastText(found) };
      }),
    );
}

function objects(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError('must be a whole number above 0, for instance 20e9');
}

function forecastText({ objects: count, chunks, site, algorithms, intake, ...prices }: Forecast): string {
  const usd = (microUsd: number) => (microUsd / 1e6).toFixed(2);
  return [
    `${count} objects in ${chunks} chunks at ${site.name}, ${site.tasksAtOnce} tasks at once`,
    table(
      ['algorithm', 'hours', 'core-hours', 'USD of jobs', 'USD of packing', 'TB stored', 'TB out', 'basis'],
      algorithms.map((one) => [
        one.algorithm,
        hours(one.wallSeconds, 1),
        hours(one.coreSeconds, 0),
        usd(one.microUsd.mean),
        usd(one.packingMicroUsd),
        (one.storedBytes / 1e12).toFixed(2),
        (one.egressBytes.mean / 1e12).toFixed(2),
        one.samples > 0 ? `${one.basis} (${one.samples} jobs)` : one.basis,
      ]),
    ),
    `intake, once: ${usd(intake.microUsd)} USD, ${(intake.storedBytes / 1e12).toFixed(2)} TB of skinny parts`,
    'USD: calls, units and seconds counted on the local cloud by npm run bench -- cost, at the dated prices; packing is of a table of that algorithm alone.',
    `apart from that, at the prices of ${prices.pricesOf}: ${usd(prices.storageMicroUsdPerMonth)} USD a month for all that is stored, ${usd(prices.egressMicroUsd)} USD for the bytes out`,
    'MEASURED: 95 % interval of finished jobs of this code version. ASSUMED: registered seconds, up to the worst case that is reserved.',
  ].join('\n');
}

/** `7.9 (7.1 to 8.7)` */
function hours({ mean, low, high }: Interval, digits: number): string {
  const text = (seconds: number) => (seconds / 3600).toFixed(digits);
  return `${text(mean)} (${text(low)} to ${text(high)})`;
}
