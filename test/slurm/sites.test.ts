import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { chaos } from '#chaos/sites.ts';
import { noSlurm, SLURM_HOME } from '#test/slurm/slurm-cluster.ts';

/** The short form of `npm run chaos -- sites`: one site that is killed for good, and one that is only frozen. */
it.skipIf(noSlurm !== null)(
  `the work of a dead site is taken over by the other, and counts once${noSlurm === null ? '' : ` (skipped: ${noSlurm})`}`,
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ponte-sites-'));
    try {
      const say = (line: string) => console.log(line);
      const { counts, figures, wrong } = await chaos.run({
        folder,
        home: SLURM_HOME,
        rounds: 2,
        from: 0,
        seed: 'short',
        signal: new AbortController().signal,
        say,
      });
      expect(wrong).toEqual([]);
      expect(figures).toEqual({ lost: 0, duplicated: 0 });
      expect(counts).toMatchObject({ 'sites killed': 1, 'sites frozen': 1 });
      expect(counts['works fenced at the site that came back']).toBeGreaterThan(0);
      expect(counts['works ended by the site that stayed, after the kill']).toBeGreaterThan(0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  540_000,
);
