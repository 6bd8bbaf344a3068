import { join } from 'node:path';
import { verifyCatalogue } from '#adapters/hats-verifier.ts';
import type { Bench, BenchRun } from '#bench/bench.ts';
import { type Phase, type Phases, usageByCaller } from '#bench/cost/bill.ts';
import { type Production, produce, ROWS_PER_CHUNK } from '#bench/cost/campaign.ts';
import { tellBill, tellOutside } from '#bench/cost/figures.ts';
import { readMeter } from '#bench/cost/meter.ts';
import { type Cloud, openCloud } from '#cli/context.ts';
import { fetchDelivery } from '#cli/operations/fetch-delivery.ts';
import { deliveriesOf } from '#cli/operations/look.ts';
import { makeDemoData } from '#local/demo-data.ts';
import { localDown, localUp } from '#local/machine.ts';

/** `npm run bench -- cost` */
export const bench: Bench = {
  summary: 'What the control plane of 20e9 objects costs, by the counted calls of campaigns on the local cloud',
  minutes: 15,
  run,
};

/** The algorithm that computes least: what a site computes is no part of this. */
const ALGORITHM = 'gpz';
const REAL = { release: 'real', chunks: 8, rows: ROWS_PER_CHUNK, oneByOne: true } as const;
const LESS = { release: 'less', chunks: 50, rows: 200, oneByOne: false } as const;
const MORE = { release: 'more', chunks: 150, rows: 200, oneByOne: false } as const;

async function run({ folder, home: pythonHome, say, figure }: BenchRun): Promise<void> {
  const home = join(folder, 'home');
  const meter = join(folder, 'meter.jsonl');
  process.env.PONTE_CLOUD_METER = meter;
  process.env.LAMBDA_ACCOUNT_CONCURRENCY ??= '20';
  try {
    const { rail } = await localUp({ home, pythonHome, log: say, scheduler: 'local' });
    const { trainingPath } = await makeDemoData({ python: rail.python, folder: join(folder, 'demo'), log: say });
    const cloud = await openCloud(home);
    let seen = (await readMeter(meter)).length;
    const phase = async (part: Omit<Production, 'algorithm' | 'training' | 'folder' | 'say'>): Promise<Phase> => {
      await produce(cloud, {
        ...{ ...part, say, algorithm: ALGORITHM, training: trainingPath },
        folder: join(folder, part.release),
      });
      const lines = await readMeter(meter, seen);
      seen += lines.length;
      return { chunks: part.chunks, lines };
    };
    const real = await phase(REAL);
    const verifyCpuSeconds = await verifyWithoutSamples(cloud, join(folder, 'delivery'), say);
    const phases: Phases = { real, verifyCpuSeconds, less: await phase(LESS), more: await phase(MORE) };
    tellBill(usageByCaller(phases), figure, say);
    tellOutside(real, figure, say);
  } finally {
    await localDown({ home, log: say });
  }
}

async function verifyWithoutSamples(cloud: Cloud, folder: string, say: (line: string) => void): Promise<number> {
  const [delivery] = await deliveriesOf(cloud);
  if (!delivery) throw new Error('nothing was delivered');
  await fetchDelivery(cloud, delivery.delivery, folder);
  const before = process.cpuUsage();
  const report = await verifyCatalogue({
    source: folder,
    marginSamples: 0,
    database: { threads: 1, memoryLimit: '900MiB' },
  });
  const { user, system } = process.cpuUsage(before);
  say(`verified ${report.rows} rows in ${((user + system) / 1e6).toFixed(1)} s of processor time`);
  if (!report.sound) throw new Error('the delivery is unsound');
  return (user + system) / 1e6;
}
