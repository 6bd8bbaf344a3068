import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SlurmScheduler } from '#adapters/slurm.ts';
import type { Bench, BenchRun } from '#bench/bench.ts';
import { median } from '#bench/paired.ts';
import { runAgentWith } from '#bridge-agent/daemon.ts';
import type { ArrayRequest } from '#core/scheduler.ts';
import { ensureSlurm, type SlurmHandle, stopSlurm } from '#local/slurm.ts';
import { JOB_FOLDER, TestSite, until } from '#test/bridge-agent/site.ts';

const ROUNDS = 5;
/** Parts of a submission; as one array, and as so many sbatch. */
const PARTS = 50;
/** Parts of the work whose cost to the agent is measured, and the works whose answers are timed. */
const MANY_PARTS = 400;
const WORKS = 10;
const RECONCILE_SECONDS = 1;
const PATIENCE_SECONDS = 240;

/** `npm run bench -- bridge`, on a Slurm of its own; as root on Debian. */
export const bench: Bench = {
  summary: 'Slurm: an array against an sbatch a part; what the agent adds to a part, and to the end of a job',
  minutes: 3,
  run: measureBridge,
};

async function measureBridge(run: BenchRun): Promise<void> {
  const { home, say } = run;
  const cluster = await ensureSlurm({ home, log: say, nodes: 2, cpus: 8 });
  try {
    await measureSubmissions(run, cluster);
    await measureAgent(run, cluster);
  } finally {
    await stopSlurm({ home, log: say });
  }
}

/** The two in turn; their parts do nothing, and wait while the next are submitted. */
async function measureSubmissions({ folder, say, figure }: BenchRun, cluster: SlurmHandle): Promise<void> {
  const scheduler = new SlurmScheduler({
    partition: cluster.partition,
    slurmConf: cluster.confPath,
    accounting: false,
    jobFolder: JOB_FOLDER,
  });
  const logFolder = join(folder, 'logs');
  mkdirSync(logFolder);
  const submit = async (name: string, tasks: ArrayRequest['tasks']) => {
    const outcome = await scheduler.submit({
      name,
      comment: 'bench',
      tasks,
      command: ['/bin/true'],
      logFolder,
      cpusPerTask: 1,
      memoryMb: 50,
      timeLimitMinutes: 1,
    });
    if (outcome.kind !== 'submitted') throw new Error(`${name} was not submitted: ${outcome.reason}`);
  };
  const secondsOf = async (act: () => Promise<void>) => {
    const started = performance.now();
    await act();
    return (performance.now() - started) / 1000;
  };
  const [arrays, singles]: [number[], number[]] = [[], []];
  for (let round = 1; round <= ROUNDS; round += 1) {
    const name = `ponte-bench-${process.pid}-${round}`;
    const others = Array.from({ length: PARTS - 1 }, (_, index) => index + 1);
    arrays.push(await secondsOf(() => submit(name, [0, ...others])));
    singles.push(
      await secondsOf(async () => {
        for (let part = 0; part < PARTS; part += 1) await submit(`${name}-${part}`, [0]);
      }),
    );
    say(
      `round ${round} of ${ROUNDS}: ${PARTS} parts in ${arrays.at(-1)?.toFixed(2)} s as an array, ${singles.at(-1)?.toFixed(2)} s one by one`,
    );
  }
  await scheduler.close();
  const rates = { array: PARTS / median(arrays), single: PARTS / median(singles) };
  const told = { better: 'higher', aim: null } as const;
  figure({ name: 'parts_submitted_per_second_by_array', value: rates.array, unit: 'parts/s', ...told });
  figure({ name: 'parts_submitted_per_second_one_by_one', value: rates.single, unit: 'parts/s', ...told });
  figure({ name: 'array_to_one_by_one', value: rates.array / rates.single, unit: 'ratio', ...told });
}

/** An agent in this very process, with parts that take no time of their own. */
async function measureAgent({ folder, say, figure }: BenchRun, cluster: SlurmHandle): Promise<void> {
  const root = join(folder, 'site');
  mkdirSync(root);
  const site = new TestSite(root, {
    scheduler: { kind: 'slurm', partition: cluster.partition, slurmConf: cluster.confPath, accounting: false },
    limits: { tasksPerArray: 8, memoryMb: 100, timeLimitMinutes: 5 },
    intervals: { reconcileSeconds: RECONCILE_SECONDS, heartbeatSeconds: 30 },
  });
  const stop = new AbortController();
  const agent = runAgentWith(site.parts(), site.configuration, stop.signal);
  try {
    const answered = async (name: string, parts: number, before: number) => {
      site.cloud.send(await site.estimate(name, Array(parts).fill({})));
      await until(`the answer of ${name}`, () => site.cloud.answers().length > before, PATIENCE_SECONDS);
    };
    const delays: number[] = [];
    for (let work = 0; work < WORKS; work += 1) {
      await answered(`work-${work}`, 4, work);
      // What the last part wrote, after its record.
      delays.push((Date.now() - statSync(site.workLog).mtimeMs) / 1000);
      say(`work ${work + 1} of ${WORKS}: answered ${delays.at(-1)?.toFixed(2)} s after its last part`);
    }
    say(`one work of ${MANY_PARTS} parts ...`);
    const [cpu, started] = [process.cpuUsage(), performance.now()];
    await answered('many', MANY_PARTS, WORKS);
    const { user, system } = process.cpuUsage(cpu);
    const wall = performance.now() - started;
    const told = { better: 'lower', aim: null } as const;
    figure({ name: 'seconds_from_job_end_to_answer', value: median(delays), unit: 's', ...told });
    figure({ name: 'longest_from_job_end_to_answer', value: Math.max(...delays), unit: 's', ...told });
    figure({ name: 'agent_cpu_per_part', value: (user + system) / 1000 / MANY_PARTS, unit: 'ms', ...told });
    figure({ name: 'wall_per_part_of_no_work', value: wall / MANY_PARTS, unit: 'ms', ...told });
  } finally {
    stop.abort();
    await agent;
  }
}
