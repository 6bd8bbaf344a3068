import { priceMicroUsd, type Usage } from '#core/price-book.ts';

/** What one chunk uses of the control plane, apart from its time: infra/intake.ts and functions/inspect.ts. */
const CHUNK_CALLS: Omit<Usage, 'lambdaGbSeconds'> = {
  lambdaRequests: 3,
  stateTransitions: 5,
  s3Puts: 3,
  s3Gets: 5,
  dynamoDbWriteUnits: 20,
  dynamoDbReadUnits: 10,
  sqsRequests: 3,
  events: 1,
  lambdaDiskGbSeconds: 0,
  logBytes: 0,
};
/** Memory of `inspect`, infra/intake.ts. */
const INSPECT_GB = 2;

/** What the look at one chunk costs, in micro-dollars. @param seconds that `inspect` ran */
export const chunkMicroUsd = (seconds: number) =>
  priceMicroUsd({ ...CHUNK_CALLS, lambdaGbSeconds: seconds * INSPECT_GB });
