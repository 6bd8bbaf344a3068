import { mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { examine } from '#bridge-agent/doctor.ts';
import { ROOT } from '#cli/home.ts';
import { ensureRailEnvironment, RAIL_FOLDER } from '#local/rail-environment.ts';
import type { SlurmHandle } from '#local/slurm.ts';
import { TestSite } from '#test/bridge-agent/site.ts';
import { noSlurm, SLURM_HOME, startTestCluster, stopTestCluster } from '#test/slurm/slurm-cluster.ts';

describe.skipIf(noSlurm !== null)(
  `the doctor of a site with the real Slurm and the real RAIL${noSlurm === null ? '' : ` (skipped: ${noSlurm})`}`,
  () => {
    let cluster: SlurmHandle;
    let python: string;
    let site: TestSite;
    beforeAll(async () => {
      cluster = await startTestCluster();
      ({ python } = await ensureRailEnvironment({ home: SLURM_HOME, log: (line) => console.log(line) }));
    }, 300_000);
    beforeEach(() => {
      const { partition, confPath: slurmConf } = cluster;
      site = TestSite.create({
        scheduler: { kind: 'slurm', partition, slurmConf, accounting: false },
        worker: { python, folder: RAIL_FOLDER },
        algorithmsFolder: join(ROOT, 'schemas', 'algorithms'),
      });
      mkdirSync(site.configuration.scratch);
    });
    afterEach(() => site.remove());
    afterAll(stopTestCluster);

    async function findings() {
      const parts = site.parts();
      const found = await examine(site.configuration, { ...parts, cloudTime: async () => new Date() });
      await parts.scheduler.close();
      return found;
    }

    it('has a node train on and estimate a part by the worker itself, and leaves nothing', async () => {
      const found = await findings();
      expect(found.filter(({ ok }) => !ok)).toEqual([]);
      expect(found.find(({ name }) => name === 'one job')?.said).toMatch(
        /^ran on n[12] with Python 3\.\S+; .*, and a part of 100 objects was trained for and estimated in \S+ s$/,
      );
      expect(readdirSync(site.configuration.scratch)).toEqual([]);
    }, 200_000);

    it('says what the worker said when the environment lacks the template fluxes', async () => {
      const fluxes = join(python, '..', '..', 'share', 'ponte', 'bpz');
      renameSync(fluxes, `${fluxes}.away`);
      try {
        const [job] = (await findings()).filter(({ ok }) => !ok);
        expect(job?.name).toBe('one job');
        expect(job?.said).toContain('REFERENCE_DATA_MISSING');
        expect(job?.said).toContain('Run `python -m ponte_rail.reference_data` once.');
      } finally {
        renameSync(`${fluxes}.away`, fluxes);
      }
      expect(readdirSync(site.configuration.scratch)).toEqual([]);
    }, 200_000);
  },
);
