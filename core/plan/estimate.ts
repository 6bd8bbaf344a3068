import {
  type AttemptRow,
  attemptRowSchema,
  historyPartition,
  historyPrefix,
  type JobFacts,
  stratum,
} from '#core/attempt.ts';
import { assumedCase, type JobInput, type JobSpec, jobFacts, worstCase } from '#core/job-order.ts';
import { estimateTotal, type Interval } from '#core/plan/statistics.ts';
import { scan, type Table } from '#core/table.ts';

/**
 * What an estimate rests on. `MEASURED`: attempts of the same code version and input stratum. `PILOT`: jobs of this very
 * campaign. `ASSUMED`: the registered seconds of an idle core, up to the worst case that the ledger reserves.
 */
export type Basis = 'MEASURED' | 'PILOT' | 'ASSUMED';

/** The three currencies side by side; they are never summed. */
export interface CostEstimate {
  readonly basis: Basis;
  readonly samples: number;
  readonly coreSeconds: Interval;
  readonly microUsd: Interval;
  readonly egressBytes: Interval;
}

/** Fewer attempts are no measure. */
const FEWEST = 5;
/** More add nothing to an interval, and a history may hold a hundred thousand. */
const MOST = 1000;

const exactly = (value: number): Interval => ({ mean: value, low: value, high: value });

/**
 * What these jobs of one kind and algorithm will cost. Money and bytes out are known from the counted calls and the
 * sizes of the inputs; core-seconds are estimated.
 * @param table null where no deployment is known, so no history
 * @param campaign whose own finished jobs make a pilot, where no other campaign has left a history; or null
 */
export async function estimateJobs(
  table: Table | null,
  spec: JobSpec,
  job: Pick<JobFacts, 'kind' | 'algorithm'>,
  inputs: readonly JobInput[],
  campaign: string | null,
): Promise<CostEstimate> {
  const sum = (value: (input: JobInput) => number) => inputs.reduce((total, input) => total + value(input), 0);
  const known = {
    microUsd: exactly(sum((input) => assumedCase(spec, job, input).microUsd)),
    egressBytes: bytesOut(inputs),
  };
  const [first] = inputs;
  if (!first) return { basis: 'ASSUMED', samples: 0, coreSeconds: exactly(0), ...known };
  const history = table ? await attemptsLike(table, jobFacts(spec, job, first)) : [];
  const others = history.filter((attempt) => attempt.campaign !== campaign);
  const own = history.filter((attempt) => attempt.campaign === campaign);
  const samples = others.length >= FEWEST ? others : own;
  if (samples.length >= FEWEST) {
    const size = ({ rows, units }: { rows: number; units: number }) => (job.kind === 'estimate' ? rows : units);
    const measured = samples.map(({ facts, actual }) => ({ rows: facts ? size(facts) : 1, cost: actual.coreSeconds }));
    const coreSeconds = estimateTotal(measured, { units: inputs.length, rows: sum(size) }, false);
    return { basis: samples === others ? 'MEASURED' : 'PILOT', samples: samples.length, coreSeconds, ...known };
  }
  const assumed = sum((input) => assumedCase(spec, job, input).coreSeconds);
  const high = sum((input) => worstCase(spec, job, input).coreSeconds);
  return { basis: 'ASSUMED', samples: samples.length, coreSeconds: { mean: assumed, low: 0, high }, ...known };
}

/** Assumed: more than any model is expected to have. */
const LARGEST_MODEL_BYTES = 500e6;

/** Known by the sizes of the inputs, but for the models that are to come. */
function bytesOut(inputs: readonly JobInput[]): Interval {
  const known = inputs.reduce((total, { bytes }) => total + bytes, 0);
  const toCome = inputs.filter(({ modelToCome }) => modelToCome === true).length;
  return { mean: known, low: known, high: known + toCome * LARGEST_MODEL_BYTES };
}

/** Successful attempts of the same code version, kind and stratum. */
async function attemptsLike(table: Table, facts: JobFacts): Promise<readonly AttemptRow[]> {
  const found: AttemptRow[] = [];
  for await (const row of scan(table, historyPartition(facts), historyPrefix(facts.kind, stratum(facts)))) {
    found.push(attemptRowSchema.parse(row));
    if (found.length === MOST) break;
  }
  return found;
}
