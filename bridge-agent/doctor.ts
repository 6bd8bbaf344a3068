import { causeOf } from '#bridge-agent/cause.ts';
import type { AgentConfiguration } from '#bridge-agent/configuration.ts';
import type { AgentParts } from '#bridge-agent/context.ts';
import { checkJournal, checkKept, checkRailEnvironment, checkScratch } from '#bridge-agent/doctor-host.ts';
import { askScheduler, runOneJob } from '#bridge-agent/doctor-job.ts';
import { sha256 } from '#core/digest.ts';

/** One thing that a site needs. `mend` is null when it is well. */
export interface Finding {
  readonly name: string;
  readonly ok: boolean;
  /** What was seen. */
  readonly said: string;
  /** What to do, in one sentence. */
  readonly mend: string | null;
}

export interface DoctorParts extends Pick<AgentParts, 'lake' | 'queue' | 'callback' | 'scheduler' | 'clock'> {
  /** What time the cloud says it is. */
  cloudTime(): Promise<Date>;
}

/** AWS refuses a signature that is off by more than five minutes; a healthy host is off by less than a second. */
const MOST_SKEW_SECONDS = 60;

interface Check {
  readonly name: string;
  readonly mend: string;
  /** Resolves with what was seen, throws with what is wrong. */
  look(): Promise<string>;
}

/** Looks at everything that the first job needs, and says how to mend what is not well; takes no job from the queue. */
export async function examine(
  configuration: AgentConfiguration,
  parts: DoctorParts,
  onProgress: (finding: Finding) => void = () => {},
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const { name, mend, look } of checksOf(configuration, parts)) {
    let finding: Finding;
    try {
      finding = { name, ok: true, said: await look(), mend: null };
    } catch (error) {
      finding = { name, ok: false, said: causeOf(error), mend };
    }
    findings.push(finding);
    onProgress(finding);
  }
  return findings;
}

function checksOf(configuration: AgentConfiguration, parts: DoctorParts): readonly Check[] {
  const { site, queueUrl, lakeBucket, scratch, keep, journal, scheduler, worker } = configuration;
  const signIn = 'check that the credentials work (aws sts get-caller-identity as the agent’s user)';
  const partition = scheduler.kind === 'slurm' ? scheduler.partition : 'local';
  return [
    {
      name: 'clock',
      mend: 'Let the host keep its time by NTP (timedatectl set-ntp true, or chronyd); AWS refuses signatures of another time.',
      look: () => compareClocks(parts),
    },
    {
      name: 'queue',
      mend: `Allow outbound HTTPS to SQS, ${signIn}, and that queueUrl is the stack's JobQueueUrl: ${queueUrl}.`,
      look: async () => `about ${await parts.queue.waiting()} jobs wait`,
    },
    {
      name: 'bucket',
      mend: `Allow outbound HTTPS to S3, ${signIn}, and that lakeBucket is the stack's LakeBucket: ${lakeBucket}.`,
      look: () => writeAndRead(site, parts),
    },
    {
      name: 'token call',
      mend: `Allow outbound HTTPS to Step Functions, and ${signIn}; the role must have states:SendTaskHeartbeat.`,
      look: async () => {
        // Nobody waits for it: the refusal of the token is the answer of a service that let us ask.
        await parts.callback.heartbeat('ponte-agent-doctor');
        return 'the service answers';
      },
    },
    {
      name: 'scratch',
      mend: `Create ${scratch} on a file system that the nodes share, owned by the agent's user, with hard links and with room (limits.minFreeScratchMb, limits.minFreeInodes).`,
      look: () => checkScratch(configuration),
    },
    ...(keep === undefined ? [] : [keptCheck(keep)]),
    {
      name: 'journal',
      mend: `Give ${journal} a folder on a local disk, owned by the agent's user; never NFS or Lustre.`,
      look: () => checkJournal(configuration),
    },
    {
      name: 'scheduler',
      mend: 'Install the Slurm client commands and munge on this host, and name slurm.conf in scheduler.slurmConf where the commands do not find it by themselves.',
      look: async () => {
        const look = await parts.scheduler.observe([`ponte-doctor-${site}`], parts.clock.now());
        if (look.kind === 'failed') throw new Error(look.reason);
        return 'it answers';
      },
    },
    {
      name: 'account',
      mend: `Ask the cluster's administrator for the partition, account and qos of the configuration (partition "${partition}"), or correct them and the limits; sacctmgr show assoc user=$USER lists what you have.`,
      look: () => askScheduler(configuration, parts),
    },
    {
      name: 'RAIL environment',
      mend: `Build it as docs/site.md says under "Install" and name it in worker.python (${worker.python}) and worker.folder (${worker.folder}).`,
      look: () => checkRailEnvironment(configuration),
    },
    {
      name: 'one job',
      mend: 'Make scratch, worker.python, worker.folder and jobFolder exist on the nodes under the same paths; the job’s own words are above.',
      look: () => runOneJob(configuration, parts),
    },
  ];
}

const keptCheck = (keep: string) => ({
  name: 'kept tables',
  mend: `Create ${keep}, owned by the agent's user, with room for the tables of a release; or leave "keep" out.`,
  look: () => checkKept(keep),
});

async function compareClocks({ clock, cloudTime }: DoctorParts): Promise<string> {
  const skew = (clock.now().getTime() - (await cloudTime()).getTime()) / 1000;
  const said = `this host is ${Math.abs(skew).toFixed(0)} s ${skew < 0 ? 'behind' : 'ahead of'} the cloud`;
  if (Math.abs(skew) > MOST_SKEW_SECONDS) throw new Error(said);
  return said;
}

async function writeAndRead(site: string, { lake, clock }: DoctorParts): Promise<string> {
  // Below work/, which is where an agent may write; overwritten by the next one.
  const key = `work/doctor/${site}.json`;
  const bytes = Buffer.from(JSON.stringify({ site, at: clock.now().toISOString() }));
  await lake.putBytes(key, bytes, 'application/json');
  const back = await lake.getBytes(key);
  if (back === null || sha256(back) !== sha256(bytes)) throw new Error(`${key} does not come back as it was written`);
  return `wrote and read ${key}`;
}
