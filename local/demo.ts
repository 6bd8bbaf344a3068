import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Cloud, openCloud } from '#cli/context.ts';
import { approve } from '#cli/operations/approve.ts';
import { type CampaignReport, campaignReport } from '#cli/operations/campaign-report.ts';
import { fetchDelivery } from '#cli/operations/fetch-delivery.ts';
import { type CampaignView, deliveriesOf, viewCampaign, viewRelease } from '#cli/operations/look.ts';
import { registerRelease } from '#cli/operations/register-release.ts';
import { upload } from '#cli/operations/upload.ts';
import { campaignPartition } from '#core/campaign.ts';
import { InvariantError, PonteError } from '#core/errors.ts';
import { LEASE_PREFIX } from '#core/lease.ts';
import type { Registration } from '#core/release.ts';
import { scan } from '#core/table.ts';
import { type DemoData, makeDamagedCopy, makeDemoData } from '#local/demo-data.ts';
import { localReset, localUp, type MachineOptions } from '#local/machine.ts';

export const DEMO_RELEASE = 'dc2-demo';

/** The chunk that is damaged on its way, and the one that is uploaded twice; both by their place in the manifest. */
const DAMAGED = 3;
const TWICE = 0;

const REGISTRATION: Registration = {
  version: 1,
  release: DEMO_RELEASE,
  title: 'DC2 demonstration: photo-z of the galaxies that ship with RAIL, at invented coordinates',
  profile: 'dc2-rail',
  recipe: 'skinny',
  trainingSet: 'training.parquet',
  campaign: {
    name: 'photoz',
    algorithms: ['bpz', 'fzboost'],
    heldOut: { fraction: 0.2, seed: 20261121 },
    archive: true,
    partsPerBatch: 2,
    partition: { thresholdRows: 4000, highestOrder: 10 },
    caps: { microUsd: 1_000_000, coreSeconds: 40_000 },
  },
};

export interface DemoOptions extends MachineOptions {
  /** Called once the campaign is in this state; for tests that break things at a certain moment. */
  readonly onState?: (state: string) => Promise<void>;
}

export interface DemoResult {
  readonly report: CampaignReport;
  readonly intakeSeconds: number;
  readonly folder: string;
  readonly data: DemoData;
}

/** The whole way, once, on this machine: from an upload to a folder that LSDB opens. Run again, it goes on. */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const { home, log } = options;
  const { machine, data, cloud } = await prepare(options);
  const started = Date.now();
  await uploadAll(cloud, data, machine.rail.python, options);
  const campaign = await waitForCampaign(cloud, log);
  const intakeSeconds = (Date.now() - started) / 1000;
  const view = await follow(cloud, campaign, options);
  if (view.campaign.state !== 'delivered') {
    throw new InvariantError(
      `the campaign ${campaign} ended as ${view.campaign.state}: ${view.campaign.failure ?? ''}`,
      {
        code: 'DEMO_FAILED',
        hint: `The logs are below ${home}: cloud/emulator.log and site/agent.log. npm run reset starts from nothing.`,
      },
    );
  }
  const delivery = (await deliveriesOf(cloud)).find((row) => row.campaign === campaign);
  const fetched = await fetchDelivery(
    cloud,
    delivery?.delivery ?? '',
    join(home, 'deliveries', delivery?.delivery ?? ''),
  );
  return { report: await campaignReport(cloud, campaign), intakeSeconds, folder: fetched.folder, data };
}

/** A demo that was registered by another version of the code cannot go on: it starts from nothing. */
async function prepare(options: DemoOptions) {
  const { home, log } = options;
  for (let again = false; ; again = true) {
    const machine = await localUp(options);
    const data = await makeDemoData({ python: machine.rail.python, folder: join(home, 'demo'), log });
    const cloud = await openCloud(home);
    try {
      await register(cloud, data, home);
      return { machine, data, cloud };
    } catch (error) {
      if (again || !(error instanceof PonteError) || error.code !== 'RELEASE_REGISTERED') throw error;
      log(`${error.message}: starting from nothing`);
      await localReset({ home, log });
    }
  }
}

async function register(cloud: Cloud, data: DemoData, home: string): Promise<void> {
  const folder = join(home, 'demo', 'registration');
  await mkdir(folder, { recursive: true });
  await copyFile(data.trainingPath, join(folder, REGISTRATION.trainingSet));
  const path = join(folder, 'registration.json');
  await writeFile(path, `${JSON.stringify(REGISTRATION, null, 2)}\n`);
  await registerRelease(cloud, path);
}

/** From here on nothing is called by hand: the uploads start everything. */
async function uploadAll(cloud: Cloud, data: DemoData, python: string, { home, log }: DemoOptions): Promise<void> {
  const names = data.manifest.chunks.map((chunk) => chunk.name);
  const damaged = names[DAMAGED];
  const twice = names[TWICE];
  const paths: string[] = [];
  for (const name of names) {
    const source = join(data.releaseFolder, name);
    if (name !== damaged) paths.push(source);
    else paths.push(await damagedCopy(python, source, join(home, 'demo', 'damaged')));
  }
  log(`uploading ${names.length} chunks; ${damaged} is damaged on purpose`);
  await upload(cloud, DEMO_RELEASE, paths);
  if (twice) {
    log(`uploading ${twice} once more, on purpose`);
    await upload(cloud, DEMO_RELEASE, [join(data.releaseFolder, twice)], { again: true });
  }
  await upload(cloud, DEMO_RELEASE, [data.manifestPath]);
}

async function damagedCopy(python: string, source: string, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const target = join(folder, basename(source));
  await makeDamagedCopy({ python, source, target });
  return target;
}

const LOOK_MS = 500;
/** A stage that takes long says now and then that it is alive. */
const STILL_MS = 10_000;
/** No part of the intake of six small files takes longer; a silent hang must not look like work. */
const INTAKE_LIMIT_MS = 5 * 60 * 1000;

async function waitForCampaign(cloud: Cloud, log: MachineOptions['log']): Promise<string> {
  const deadline = Date.now() + INTAKE_LIMIT_MS;
  let shown = '';
  while (Date.now() < deadline) {
    const { release, campaigns, manifestProblem } = await viewRelease(cloud, DEMO_RELEASE);
    const state = `intake: ${release.settledChunks} of ${release.expectedChunks || '?'} chunks settled`;
    if (state !== shown) log(state);
    shown = state;
    const [campaign] = campaigns;
    if (campaign) return campaign;
    if (manifestProblem) break;
    await sleep(LOOK_MS);
  }
  throw new InvariantError('the upload did not lead to a campaign', {
    code: 'DEMO_FAILED',
    hint: `ponte release show ${DEMO_RELEASE} and ponte chunks ${DEMO_RELEASE} show where it stands.`,
  });
}

/** Jobs whose leases are settled. */
async function finishedJobs({ table }: Cloud, campaign: string): Promise<number> {
  let count = 0;
  for await (const lease of scan(table, campaignPartition(campaign), LEASE_PREFIX))
    if (lease.state === 'settled') count += 1;
  return count;
}

/** Shows every change of state until the end; gives the approval as the demo's operator. */
async function follow(cloud: Cloud, campaign: string, { log, onState }: DemoOptions): Promise<CampaignView> {
  let shown = '';
  let shownAt = 0;
  while (true) {
    const view = await viewCampaign(cloud, campaign);
    const { state } = view.campaign;
    if (state !== shown) {
      log(`campaign: ${state}`);
      [shown, shownAt] = [state, Date.now()];
      await onState?.(state);
    } else if (Date.now() - shownAt > STILL_MS) {
      log(`campaign: still ${state}; ${await finishedJobs(cloud, campaign)} jobs done`);
      shownAt = Date.now();
    }
    if (state === 'delivered' || state === 'failed') return view;
    const { approval } = view;
    if (state === 'approval' && approval && !approval.decision) {
      const comment = "given by the demo's operator without reading: this is a demonstration";
      const decision = await approve(cloud, { campaign, verdict: 'approved', comment, report: approval.report.sha256 });
      log(`approved by ${decision.identity}`);
    }
    await sleep(LOOK_MS);
  }
}
