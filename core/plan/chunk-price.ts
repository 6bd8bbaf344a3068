import { priceMicroUsd, type Usage } from '#core/price-book.ts';

// Measured by `npm run bench -- cost` on the local cloud on 2026-11-28 (docs/performance.md), for chunks of 130,000 rows.

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
export const LOOK_SECONDS = 1.97;

/** What the look at one chunk costs, in micro-dollars. @param seconds that `inspect` ran */
export const chunkMicroUsd = (seconds: number) =>
  priceMicroUsd({
    ...CHUNK_CALLS,
    lambdaGbSeconds: seconds * INSPECT_GB,
    lambdaDiskGbSeconds: seconds * INSPECT_DISK_GB,
  });

/**
 * What the rows of one chunk use until they are packed, verified and delivered, with the estimates of one algorithm. With
 * 0.16 states, calls and records of the leaves and ranges of ids that are verified by themselves: not counted, added.
 */
export const PACKING_OF_A_CHUNK: Usage = {
  lambdaRequests: 0.37,
  lambdaGbSeconds: 5.3,
  lambdaDiskGbSeconds: 25.2,
  stateTransitions: 0.37,
  s3Puts: 2.3,
  s3Gets: 14,
  dynamoDbWriteUnits: 3,
  dynamoDbReadUnits: 7,
  sqsRequests: 0,
  events: 0,
  logBytes: 300,
};
