import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { chaos } from '#chaos/bridge.ts';
import { noSlurm, SLURM_HOME } from '#test/slurm/slurm-cluster.ts';

/** The short form of `npm run chaos -- bridge`: as many rounds as go on side by side. */
it.skipIf(noSlurm !== null)(
  `the bridge loses nothing and does nothing twice${noSlurm === null ? '' : ` (skipped: ${noSlurm})`}`,
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ponte-chaos-'));
    try {
      const { figures, wrong } = await chaos.run({
        folder,
        home: SLURM_HOME,
        rounds: 12,
        from: 0,
        seed: 'short',
        signal: new AbortController().signal,
        say: (line) => console.log(line),
      });
      expect(wrong).toEqual([]);
      expect(figures).toMatchObject({ lost: 0, duplicated: 0 });
      expect(figures.kills).toBeGreaterThan(5);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  400_000,
);
