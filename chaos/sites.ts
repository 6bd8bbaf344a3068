import { join } from 'node:path';
import { type Chaos, type ChaosOutcome, type ChaosRun, unlessInterrupted } from '#chaos/chaos.ts';
import { resumeDrained } from '#chaos/drained-nodes.ts';
import { Round } from '#chaos/sites/round.ts';
import { ensureSlurm, stopSlurm } from '#local/slurm.ts';

/** Rounds that go on side by side; they mostly wait. */
const LANES = 2;

/**
 * Two sites pull from one queue on a real Slurm. When half of the work is done, one is killed for good with its jobs (even
 * rounds), or frozen while its jobs live on (odd rounds). The other takes its work over; then the first one comes back.
 */
export const chaos: Chaos = {
  summary: 'kills or freezes one of two sites at half time: the other ends all work, nothing is done or answered twice',
  rounds: 10,
  minutes: 5,
  run,
};

/** How often somebody looks after nodes that Slurm drained, because a site that dies takes its processes along. */
const ADMINISTRATOR_MILLISECONDS = 10_000;

async function run({ folder, rounds, from, home, signal, say }: ChaosRun): Promise<ChaosOutcome> {
  const cluster = await ensureSlurm({ home, log: say, nodes: 2, cpus: 16 });
  const counts: Record<string, number> = {};
  const wrong: string[] = [];
  const count = (what: string, by: number) => {
    counts[what] = (counts[what] ?? 0) + by;
  };
  const administrator = setInterval(() => {
    void resumeDrained(cluster, () => count('drained nodes resumed', 1));
  }, ADMINISTRATOR_MILLISECONDS);
  try {
    let next = from;
    let done = 0;
    const lanes = Array.from({ length: Math.min(LANES, rounds) }, async () => {
      while (next < from + rounds && !signal.aborted) {
        const number = next;
        next += 1;
        const found = await new Round(join(folder, `round-${number}`), number, cluster).play();
        for (const [what, by] of Object.entries(found.counts)) count(what, by);
        wrong.push(...found.wrong.map((line) => `round ${number}: ${line}`));
        done += 1;
        say(`${done} of ${rounds} rounds, ${wrong.length} wrong`);
      }
    });
    await unlessInterrupted(Promise.all(lanes), signal);
  } finally {
    clearInterval(administrator);
    await stopSlurm({ home, log: say });
  }
  const { lost = 0, duplicated = 0, ...others } = counts;
  return { counts: others, figures: { lost, duplicated }, wrong };
}
