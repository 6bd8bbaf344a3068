import type { Counted } from '#bench/cost/meter.ts';
import type { Usage } from '#core/price-book.ts';

/** Of a campaign: what was counted while it ran. */
export interface Phase {
  readonly chunks: number;
  readonly lines: readonly Counted[];
}

const VERIFY = 'CampaignFunctionsVerifyPartition';
/** MB of memory that one vCPU comes with (Lambda developer guide, "Configure Lambda function memory"). */
const MB_PER_VCPU = 1769;
/** A function's disk up to this is free. */
const FREE_DISK_MB = 512;

/** What a function moves to and from S3 in a second: the 600 Mbit/s of its network. Assumed, not measured. */
const BYTES_PER_SECOND = 75e6;

/** Functions whose time goes with the rows: theirs is taken from the chunks of real size. */
const BY_ROWS = ['CampaignFunctionsPackPartition', VERIFY, 'CampaignFunctionsVerifyIdRange'];
const BY_CHUNK = 'IntakeInspect';

export interface Phases {
  readonly less: Phase;
  readonly more: Phase;
  /** Chunks of real size. */
  readonly real: Phase;
  /**
   * Processor seconds of the verification of `real` in one process, without its samples, of which a catalogue of any size
   * has eight.
   */
  readonly verifyCpuSeconds: number;
}

/**
 * What each caller uses for one chunk more: the difference of two campaigns over that of their chunks, so that what a
 * campaign needs once (inform, validate, approval) does not count. Seconds of what goes with the rows come from `real`.
 */
export function usageByCaller(phases: Phases): ReadonlyMap<string, Usage> {
  const { less, more } = phases;
  const callers = [...new Set(more.lines.map(({ by }) => by))].sort();
  const perChunk = (of: (line: Counted) => number, by: string) => {
    const sum = ({ lines }: Phase) =>
      lines.reduce((total, line) => total + (line.by === by && counts(line) ? of(line) : 0), 0);
    return Math.max(0, sum(more) - sum(less)) / (more.chunks - less.chunks);
  };
  return new Map(
    callers.map((by) => {
      const of = (kind: Counted['kind']) => perChunk((line) => (line.kind === kind ? line.units : 0), by);
      const lambdaRequests = of('lambdaRequest');
      const [sample] = more.lines.filter((line) => line.kind === 'lambdaRequest' && line.by === by);
      const seconds = sample ? secondsPerChunk(sample, lambdaRequests, phases) : 0;
      const disk = Math.max(0, (sample?.diskMb ?? 0) - FREE_DISK_MB);
      const uploads = by === 'operator' ? of('s3Put') : 0;
      const usage: Usage = {
        lambdaRequests,
        lambdaGbSeconds: (seconds * (sample?.memoryMb ?? 0)) / 1024,
        lambdaDiskGbSeconds: (seconds * disk) / 1024,
        stateTransitions: perChunk(transitions, by),
        s3Puts: of('s3Put'),
        s3Gets: of('s3Get'),
        dynamoDbWriteUnits: of('dynamoDbWriteUnit'),
        dynamoDbReadUnits: of('dynamoDbReadUnit'),
        sqsRequests: perChunk(sqsRequests, by) + uploads,
        events: uploads,
        logBytes: perChunk(({ kind, bytes, logBytes }) => (kind === 'event' ? bytes : logBytes) ?? 0, by),
      };
      return [by, usage] as const;
    }),
  );
}

/** The bench's own polling is the operator's; of that only the uploads are part of a production. */
const counts = ({ by, kind, at }: Counted) => by !== 'operator' || (/^s3/.test(kind) && /landing/.test(at ?? ''));

/**
 * "Each time a step of your workflow is executed". Further attempts are charged too, but here they are those of an account
 * with twenty functions at a time, which a chunk then waits for.
 */
const transitions = ({ kind, at }: Counted) => (kind === 'event' && at?.endsWith('StateEntered') ? 1 : 0);

/**
 * An agent asks for messages every 20 s whether there are any or not, so its asking counts with each message that it
 * deletes. The service fetches and deletes what a function is to take; a state sends what its site is to take.
 */
function sqsRequests({ kind, by, at, name }: Counted): number {
  if (kind === 'lambdaRequest' && by === 'IntakeTake') return 2;
  if (kind === 'event') return at === 'TaskStateEntered' && name?.endsWith('AtSite') ? 1 : 0;
  if (kind !== 'sqsRequest' || at?.endsWith('ReceiveMessage')) return 0;
  return at?.endsWith('DeleteMessage') ? 2 : 1;
}

/**
 * Processor time on the share of a processor that the function's memory comes with, and then the bytes: seconds of the
 * wall clock of this machine, which others use too, would be those of its load.
 */
function secondsPerChunk(sample: Counted, requests: number, { more, real, verifyCpuSeconds }: Phases): number {
  const { by, memoryMb = 0 } = sample;
  const mine = ({ lines }: Phase) => lines.filter((line) => line.by === by);
  const cpu = (phase: Phase) =>
    mine(phase).flatMap(({ kind, cpu: seconds = 0 }) => (kind === 'lambdaRequest' ? seconds : []));
  const bytes = mine(real).reduce((sum, line) => sum + (/^s3/.test(line.kind) ? (line.bytes ?? 0) : 0), 0);
  const all = (phase: Phase) => cpu(phase).reduce((sum, seconds) => sum + seconds, 0) / phase.chunks;
  const cpuSeconds = () => {
    if (by === VERIFY) return verifyCpuSeconds / real.chunks;
    if (BY_ROWS.includes(by)) return all(real);
    if (by === BY_CHUNK) return undisturbed(cpu(real));
    return requests < 1e-9 ? 0 : requests * undisturbed(cpu(more));
  };
  return cpuSeconds() / (memoryMb / MB_PER_VCPU) + bytes / real.chunks / BYTES_PER_SECOND;
}

/** The lower quartile of equal work: what disturbs one only makes it longer. */
function undisturbed(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 4)] ?? 0;
}
