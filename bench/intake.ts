import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Bench } from '#bench/bench.ts';
import { FunctionMemory } from '#bench/intake/function-memory.ts';
import { openCloud } from '#cli/context.ts';
import { cloudStatus } from '#local/cloud.ts';
import { localDown, localUp } from '#local/machine.ts';
import { uploadAtOnce } from '#test/e2e/at-once.ts';

const CHUNKS = 1000;

/** From uploads to skinny tables on the local cloud: `npm run bench -- intake [CHUNKS]`. */
export const bench: Bench = {
  summary: `${CHUNKS} chunks uploaded at once to the local cloud: from upload to skinny, and what its functions hold`,
  minutes: 12,
  async run({ folder, home: pythonHome, options, say, figure }) {
    const count = Number(options[0] ?? CHUNKS);
    const home = join(folder, 'home');
    // A process each; more at once would only wait for the processor, and for memory.
    process.env.LAMBDA_ACCOUNT_CONCURRENCY ??= String(4 * availableParallelism());
    await localUp({ home, pythonHome, log: say, scheduler: 'local' });
    const memory = new FunctionMemory((await cloudStatus({ home }))?.pid ?? 0);
    try {
      const cloud = await openCloud(home);
      const started = Date.now();
      const { chunks, seconds } = await uploadAtOnce(cloud, {
        release: 'at-once',
        folder: join(folder, 'chunks'),
        count,
        say,
      });
      const elapsed = (Date.now() - started) / 1000;
      const skinny = chunks.filter(({ state }) => state === 'skinny');
      const sorted = [...seconds].sort((a, b) => a - b);
      const quantile = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN;
      const once = new Set(skinny.map(({ name }) => name)).size;
      figure({ name: 'recorded_once', value: once, unit: 'chunks', better: 'higher', aim: count });
      figure({
        name: 'recorded_twice',
        value: chunks.length - once,
        unit: 'chunks',
        better: 'lower',
        aim: 0,
      });
      figure({ name: 'latency_median', value: quantile(0.5), unit: 's', better: 'lower', aim: null });
      figure({ name: 'latency_p95', value: quantile(0.95), unit: 's', better: 'lower', aim: null });
      figure({ name: 'throughput', value: count / elapsed, unit: 'chunks/s', better: 'higher', aim: null });
      for (const [name, peak] of [...memory.peaks].sort()) {
        const short = name
          .replace(/^Ponte-/, '')
          .replaceAll(/[^A-Za-z0-9]+/g, '_')
          .toLowerCase();
        figure({ name: `memory_${short}`, value: peak, unit: 'MiB', better: 'lower', aim: null });
      }
    } finally {
      memory.stop();
      await localDown({ home, log: say });
    }
  },
};
