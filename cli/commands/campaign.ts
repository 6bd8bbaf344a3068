import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { planCommand } from '#cli/commands/plan.ts';
import { openCloud } from '#cli/context.ts';
import { furtherNext, furtherText } from '#cli/further-text.ts';
import { ponteHome } from '#cli/home.ts';
import { approve } from '#cli/operations/approve.ts';
import { campaignReport } from '#cli/operations/campaign-report.ts';
import { approvalWarning, type CampaignView, findCampaign, viewCampaign } from '#cli/operations/look.ts';
import { resumeCampaign } from '#cli/operations/resume-campaign.ts';
import { saveReport } from '#cli/operations/save-report.ts';
import { stopCampaign } from '#cli/operations/stop-campaign.ts';
import { answer, type OutputOptions, progress } from '#cli/output.ts';
import { reportText } from '#cli/report-text.ts';
import { readRelease } from '#core/chunk-book.ts';
import { InputError } from '#core/errors.ts';
import { isComplete } from '#core/release.ts';

const WATCH_SECONDS = 2;

export function campaignCommand(program: Command): void {
  const campaign = program.command('campaign').description('plan, start, watch and report on campaigns');
  planCommand(campaign);
  campaign
    .command('start')
    .description('start the campaign that a release names; starting it again starts nothing')
    .argument('<release>')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte campaign start dc2-demo')
    .action((release: string, options: OutputOptions) =>
      answer(options, async () => {
        const cloud = await openCloud();
        const row = await readRelease(cloud.table, release);
        if (!isComplete(row)) {
          throw new InputError(
            `the release ${release} is not complete: manifest ${row.manifestState}, ${row.settledChunks} of ${row.expectedChunks} chunks settled`,
            {
              code: 'RELEASE_INCOMPLETE',
              hint: 'The campaign starts by itself when it is; ponte chunks shows what is missing.',
            },
          );
        }
        await cloud.intake.send({ version: 1, kind: 'campaign', release });
        return {
          json: { release, requested: true },
          text: `campaign of ${release} requested`,
          next: `ponte campaign watch ${release}`,
        };
      }),
    );
  campaign
    .command('stop')
    .description('end a campaign now and cancel its jobs; what is finished stays')
    .argument('<campaign>', 'a campaign, or a release with one campaign')
    .requiredOption('--reason <text>', 'why; it stands on the campaign')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte campaign stop dc2-demo --reason "the templates are wrong"')
    .action((name: string, options: OutputOptions & { reason: string }) =>
      answer(options, async () => {
        const cloud = await openCloud();
        const id = await findCampaign(cloud, name);
        const { state, failure } = await stopCampaign(cloud, id, options.reason);
        return {
          json: { campaign: id, state, failure },
          text: `${id} is ${failure ?? state}; the sites cancel its jobs at their next heartbeat, within a minute`,
          next: `ponte campaign resume ${id}`,
        };
      }),
    );
  campaign
    .command('resume')
    .description('go on with a paused or stopped campaign; finished work is not done again')
    .argument('<campaign>', 'a campaign, or a release with one campaign')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte campaign resume dc2-demo')
    .action((name: string, options: OutputOptions) =>
      answer(options, async () => {
        const cloud = await openCloud();
        const id = await findCampaign(cloud, name);
        const { release } = await resumeCampaign(cloud, id);
        return {
          json: { campaign: id, release, requested: true },
          text: `${id} goes on`,
          next: `ponte campaign watch ${id}`,
        };
      }),
    );
  campaign
    .command('watch')
    .description('follow a campaign until it ends or waits for an approval')
    .argument('<campaign>', 'a campaign, or a release with one campaign')
    .option('--once', 'look once')
    .option('--json', 'print one JSON object at the end')
    .addHelpText('after', '\nExample:\n  ponte campaign watch dc2-demo')
    .action((name: string, options: OutputOptions & { once?: boolean }) =>
      answer(options, async () => {
        const cloud = await openCloud();
        const id = await findCampaign(cloud, name);
        let view = await viewCampaign(cloud, id);
        let shown = '';
        while (true) {
          const { state } = view.campaign;
          if (state !== shown) progress(`${new Date().toISOString().slice(11, 19)} ${state}`);
          shown = state;
          if (options.once || isResting(view)) break;
          await sleep(WATCH_SECONDS * 1000);
          view = await viewCampaign(cloud, id);
        }
        const page = view.approval && waitsForPerson(view) ? await saveReport(cloud, view.approval, ponteHome()) : null;
        const warning = page ? await approvalWarning(cloud, view.campaign) : null;
        if (warning) progress(`warning: ${warning}`);
        return {
          json: { ...view, page, warning },
          text: describe(view, page),
          next: nextOf(view),
          failed: view.campaign.state === 'failed',
        };
      }),
    );
  campaign
    .command('report')
    .description('what a campaign did, how long it took, what it used')
    .argument('<campaign>', 'a campaign, or a release with one campaign')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte campaign report dc2-demo')
    .action((name: string, options: OutputOptions) =>
      answer(options, async () => {
        const cloud = await openCloud();
        const report = await campaignReport(cloud, await findCampaign(cloud, name));
        return { json: report, text: reportText(report), next: 'ponte deliveries' };
      }),
    );
}

export function approveCommand(program: Command): void {
  program
    .command('approve')
    .description("record the coordinator's decision on a campaign's validation report")
    .argument('<campaign>', 'a campaign, or a release with one campaign')
    .requiredOption('--report <digest>', 'the report you have read: its digest, or the first 8 digits or more')
    .option('--reject', 'reject instead of approve')
    .option('--comment <text>', 'why', '')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  ponte approve dc2-demo --report 3f9a12c4 --comment "PIT is flat enough"')
    .action((name: string, options: OutputOptions & { report: string; reject?: boolean; comment: string }) =>
      answer(options, async () => {
        const cloud = await openCloud();
        const campaign = await findCampaign(cloud, name);
        const { report, comment } = options;
        const verdict = options.reject ? 'rejected' : 'approved';
        const decision = await approve(cloud, { campaign, verdict, comment, report });
        return {
          json: { campaign, decision },
          text: `${campaign} ${decision.verdict} by ${decision.identity}`,
          next: `ponte campaign watch ${campaign}`,
        };
      }),
    );
}

const RESTING = ['delivered', 'failed', 'paused', 'stopped'];
const waitsForPerson = ({ campaign, approval }: CampaignView) =>
  campaign.state === 'approval' && approval !== null && approval.decision === null;
const isResting = (view: CampaignView) => RESTING.includes(view.campaign.state) || waitsForPerson(view);

function describe(view: CampaignView, page: string | null): string {
  const { campaign, approval, further } = view;
  const lines = [
    `${campaign.campaign}: ${campaign.state}`,
    `  ${campaign.rows} rows in ${campaign.parts} parts of ${campaign.chunks} chunks; ${campaign.quarantinedChunks} in quarantine`,
  ];
  if (campaign.failure) lines.push(`  reason: ${campaign.failure}`);
  lines.push(...further.map((each) => `  ${furtherText(each)}`));
  if (page && approval) {
    lines.push(`  waits for the coordinator, who reads report ${approval.report.sha256.slice(0, 12)}: ${page}`);
  }
  return lines.join('\n');
}

function nextOf(view: CampaignView): string | null {
  const { campaign, approval, further } = view;
  if (campaign.state === 'failed') return `ponte chunks ${campaign.release}`;
  if (campaign.state === 'paused') return `ponte budget show ${campaign.campaign}`;
  if (campaign.state === 'stopped') return `ponte campaign resume ${campaign.campaign}`;
  if (campaign.state === 'delivered') return furtherNext(further) ?? 'ponte deliveries';
  if (waitsForPerson(view))
    return `ponte approve ${campaign.campaign} --report ${approval?.report.sha256.slice(0, 12)}`;
  return `ponte campaign watch ${campaign.campaign}`;
}
