import { priceMicroUsd, type Usage } from '#core/price-book.ts';

// Measured by `npm run bench -- cost` on the local cloud on 2026-11-29 (docs/performance.md), for chunks of 130,000 rows.

/** What one chunk uses of the control plane to be taken in, apart from its time: infra/intake.ts, functions/inspect.ts. */
const CHUNK_CALLS: Omit<Usage, 'lambdaGbSeconds' | 'lambdaDiskGbSeconds'> = {
  lambdaRequests: 2,
  stateTransitions: 1,
  s3Puts: 3,
  s3Gets: 6,
  dynamoDbWriteUnits: 18,
  dynamoDbReadUnits: 12.1,
  sqsRequests: 3.1,
  events: 1,
  logBytes: 3900,
};
/** Memory of `inspect`, and its disk beyond what is free: infra/intake.ts. */
const INSPECT_GB = 1.5;
const INSPECT_DISK_GB = 9.5;
/** How long it looks at one. */
export const LOOK_SECONDS = 2.15;

/** What the look at one chunk costs, in micro-dollars. @param seconds that `inspect` ran */
export const chunkMicroUsd = (seconds: number) =>
  priceMicroUsd({
    ...CHUNK_CALLS,
    lambdaGbSeconds: seconds * INSPECT_GB,
    lambdaDiskGbSeconds: seconds * INSPECT_DISK_GB,
  });

/**
 * What the rows of one chunk use until they are packed, verified and delivered, with the estimates of one algorithm, and the
 * states of their leaves and ranges of ids.
 */
export const PACKING_OF_A_CHUNK: Usage = {
  lambdaRequests: 0.42,
  lambdaGbSeconds: 6.9,
  lambdaDiskGbSeconds: 32.4,
  stateTransitions: 0.44,
  s3Puts: 2.3,
  s3Gets: 14,
  dynamoDbWriteUnits: 3,
  dynamoDbReadUnits: 4.4,
  sqsRequests: 0,
  events: 0,
  logBytes: 600,
};
