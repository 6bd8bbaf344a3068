import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Lane, type RoundOutcome } from '#chaos/bridge/lane.ts';
import { Seeded } from '#chaos/bridge/seeded.ts';
import { storm } from '#chaos/bridge/storm.ts';
import { type Chaos, type ChaosOutcome, type ChaosRun, unlessInterrupted } from '#chaos/chaos.ts';
import { run as runProgram } from '#local/process.ts';
import { ensureSlurm, type SlurmHandle, stopSlurm } from '#local/slurm.ts';

/** Sites that work side by side on one cluster: rounds mostly wait. */
const LANES = 20;

/** Jobs that were done end within this, or they are orphans. */
const ORPHAN_SECONDS = 60;

/** Rounds of batches over a real Slurm, in each of which the agent dies at one transition, while the cluster breaks. */
export const chaos: Chaos = {
  summary:
    'kills the agent at every transition, breaks Slurm, repeats messages: every part is estimated once, no job is left',
  rounds: 200,
  minutes: 20,
  run,
};

async function run({ folder, rounds, from, seed, home, signal, say }: ChaosRun): Promise<ChaosOutcome> {
  const seeded = new Seeded(seed);
  const counts: Record<string, number> = {};
  const count = (what: string, by = 1) => {
    counts[what] = (counts[what] ?? 0) + by;
  };
  const outcomes: RoundOutcome[] = [];
  const wrong: string[] = [];
  const cluster = await ensureSlurm({ home, log: say, nodes: 2, cpus: 24 });
  const calm = new AbortController();
  const scheduler = { kind: 'slurm', partition: cluster.partition, slurmConf: cluster.confPath, accounting: false };
  const lanes = Array.from(
    { length: Math.min(LANES, rounds) },
    (_, index) => new Lane(join(folder, `site-${index}`), scheduler, seeded),
  );
  let weather = Promise.resolve();
  try {
    weather = storm(cluster, lanes, seeded, calm.signal, count);
    let next = from;
    const works = lanes.map(async (lane) => {
      while (next < from + rounds) {
        const number = next;
        next += 1;
        const outcome = await lane.round(number);
        outcomes.push(outcome);
        if (outcome.killedAt !== null) count(`agent killed at ${outcome.killedAt}`);
        count('messages repeated', outcome.extraMessages);
        wrong.push(...outcome.wrong);
        if (outcomes.length % 10 === 0) say(`${outcomes.length} of ${rounds} rounds, ${wrong.length} wrong`);
      }
      await lane.end();
    });
    const all = Promise.all([Promise.all(works).finally(() => calm.abort()), weather]);
    await unlessInterrupted(all, signal);
    wrong.push(...(await orphans(cluster, lanes)));
  } finally {
    calm.abort();
    for (const lane of lanes) lane.stop();
    // It may be about to start a daemon.
    await weather.catch(() => undefined);
    await stopSlurm({ home, log: say });
  }
  const sum = (of: (outcome: RoundOutcome) => number) => outcomes.reduce((all, outcome) => all + of(outcome), 0);
  const figures = {
    kills: sum(({ killedAt }) => (killedAt === null ? 0 : 1)),
    lost: sum(({ lost }) => lost),
    duplicated: sum(({ duplicated }) => duplicated),
  };
  return { counts, figures, wrong };
}

/** Jobs and processes that are there although all work is answered. */
async function orphans(cluster: SlurmHandle, lanes: readonly Lane[]): Promise<readonly string[]> {
  let left: string[] = [];
  for (let second = 0; second < ORPHAN_SECONDS; second += 1) {
    const queue = await runProgram(['squeue', '-h', '-o', '%i %j %T'], {
      env: { ...process.env, SLURM_CONF: cluster.confPath },
    });
    const jobs = queue.split('\n').filter((line) => line.trim() !== '' && !line.endsWith('COMPLETING'));
    left = [
      ...jobs.map((job) => `orphan job ${job}`),
      ...lanes.flatMap(({ site }) => site.processes().map((line) => `orphan process ${line}`)),
    ];
    if (left.length === 0) return [];
    await sleep(1000);
  }
  return left;
}
