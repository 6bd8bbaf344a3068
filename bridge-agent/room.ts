import { existsSync, statfsSync } from 'node:fs';
import type { Work } from '#adapters/journal-rows.ts';
import type { AgentContext } from '#bridge-agent/context.ts';

/** How many more works may be taken, and what keeps it from being more; `why` is null while there is room. */
export interface Room {
  readonly works: number;
  readonly why: string | null;
}

const none = (why: string): Room => ({ works: 0, why });

/**
 * What the site can place now: what it cannot stays in the queue, where another site may take it. A bound that is met
 * while works are open lets those go on.
 */
export function roomFor(context: AgentContext): Room {
  const { journal, configuration, scratch } = context;
  const { limits } = configuration;
  const open = journal.openWorks();
  const works = limits.maxJobs - open.length;
  if (works <= 0) return none(`limits.maxJobs: ${open.length} works are open`);
  const coresPerWork = limits.tasksPerArray * limits.cpusPerTask;
  const cores = coresAskedFor(open, context);
  const freeCores = (limits.maxCores ?? Number.POSITIVE_INFINITY) - cores;
  if (freeCores <= 0) return none(`limits.maxCores: ${cores} are asked for`);
  const hours = journal.coreSeconds(null, 0) / 3600;
  if (limits.maxCoreHours !== undefined && hours >= limits.maxCoreHours) {
    return none(`limits.maxCoreHours: ${hours.toFixed(1)} are used`);
  }
  if (limits.maxScratchMb !== undefined) {
    const megabytes = scratch.usedMegabytes(open);
    if (megabytes >= limits.maxScratchMb) return none(`limits.maxScratchMb: ${megabytes.toFixed(0)} MB are used`);
  }
  const full = existsSync(scratch.root) ? whyFull(scratch.root, limits) : null;
  if (full !== null) return none(full);
  // One at least, or a site smaller than one work would never take any.
  return { works: Math.min(works, Math.max(1, Math.floor(freeCores / coresPerWork))), why: null };
}

/** Of all tasks that have not ended, running or not. */
function coresAskedFor(works: readonly Work[], { journal, configuration }: AgentContext): number {
  const { tasksPerArray, cpusPerTask } = configuration.limits;
  return works.reduce((sum, work) => {
    // What is not staged yet may become as large as a work can be.
    if (work.state === 'received') return sum + tasksPerArray * cpusPerTask;
    return sum + journal.tasks(work).filter(({ state }) => state !== 'ended').length * cpusPerTask;
  }, 0);
}

/**
 * What keeps a campaign's next work from being placed here now, by the limit's name, while the site has room for others;
 * null when nothing does. The message goes back to the queue, where another site may take it.
 */
export function whyCampaignWaits(campaign: string, context: AgentContext): string | null {
  const { journal, configuration, scratch } = context;
  const { maxJobsPerCampaign, maxCoresPerCampaign, maxScratchMbPerCampaign } = configuration.limits;
  const open = journal.openWorks().filter((work) => work.message.campaign === campaign);
  if (maxJobsPerCampaign !== undefined && open.length >= maxJobsPerCampaign) {
    return `limits.maxJobsPerCampaign: ${open.length} works of ${campaign} are open`;
  }
  if (maxCoresPerCampaign !== undefined) {
    const cores = coresAskedFor(open, context);
    if (cores >= maxCoresPerCampaign) return `limits.maxCoresPerCampaign: ${campaign} asks for ${cores}`;
  }
  if (maxScratchMbPerCampaign === undefined) return null;
  const megabytes = scratch.usedMegabytes(open);
  if (megabytes < maxScratchMbPerCampaign) return null;
  return `limits.maxScratchMbPerCampaign: ${campaign} uses ${megabytes.toFixed(0)} MB`;
}

/** What of scratch is used up, by the limit's name; null when there is room. */
export function whyFull(
  path: string,
  { minFreeScratchMb, minFreeInodes }: AgentContext['configuration']['limits'],
): string | null {
  const { bavail, bsize, files, ffree } = statfsSync(path);
  const freeMb = (bavail * bsize) / 1e6;
  if (freeMb < minFreeScratchMb) return `limits.minFreeScratchMb: ${freeMb.toFixed(0)} MB are free in ${path}`;
  // A file system that makes inodes as it needs them says it has none.
  return files > 0 && ffree < minFreeInodes ? `limits.minFreeInodes: ${ffree} are free in ${path}` : null;
}

/** The sentence that refuses work of a campaign that has used what it may use here; null when it may go on. */
export function whyCampaignIsSpent(campaign: string, { journal, configuration }: AgentContext): string | null {
  const { limits, site } = configuration;
  if (limits.maxCoreHoursPerCampaign === undefined) return null;
  const hours = journal.coreSeconds(campaign, 0) / 3600;
  if (hours < limits.maxCoreHoursPerCampaign) return null;
  return `the campaign "${campaign}" has used ${hours.toFixed(1)} of its ${limits.maxCoreHoursPerCampaign} core-hours at ${site} (limits.maxCoreHoursPerCampaign)`;
}
