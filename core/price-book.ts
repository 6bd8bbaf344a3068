/**
 * Prices in us-east-1, from the goldens of an open price tool (last changed 2026-05-03, read 2026-08-21), cross-checked
 * with published bills. Micro-dollars (1e-6 USD).
 */
export const PRICES = {
  date: '2026-05-03',
  region: 'us-east-1',
  /** USD 0.20 per million requests. */
  lambdaRequest: 0.2,
  /** USD 0.0000166667 per GB-second on x86-64, first tier. */
  lambdaGbSecond: 16.6667,
  /** USD 25 per million transitions of a Standard state machine. */
  stateTransition: 25,
  /** USD 0.005 per 1,000 PUT, COPY, POST or LIST. */
  s3Put: 5,
  /** USD 0.0004 per 1,000 GET. */
  s3Get: 0.4,
  /** USD 0.625 per million write units; a transaction takes two per row. */
  dynamoDbWriteUnit: 0.625,
  dynamoDbReadUnit: 0.125,
  /** USD 0.40 per million requests. */
  sqsRequest: 0.4,
  /** USD 1 per million events. */
  eventBridgeEvent: 1,
} as const;

/** Counted use of the control plane. */
export interface Usage {
  readonly lambdaRequests: number;
  readonly lambdaGbSeconds: number;
  readonly stateTransitions: number;
  readonly s3Puts: number;
  readonly s3Gets: number;
  readonly dynamoDbWriteUnits: number;
  readonly dynamoDbReadUnits: number;
  readonly sqsRequests: number;
  readonly events: number;
}

/** What a use of the control plane costs at the book's prices, in micro-dollars, rounded up. */
export function priceMicroUsd(usage: Usage): number {
  return Math.ceil(
    usage.lambdaRequests * PRICES.lambdaRequest +
      usage.lambdaGbSeconds * PRICES.lambdaGbSecond +
      usage.stateTransitions * PRICES.stateTransition +
      usage.s3Puts * PRICES.s3Put +
      usage.s3Gets * PRICES.s3Get +
      usage.dynamoDbWriteUnits * PRICES.dynamoDbWriteUnit +
      usage.dynamoDbReadUnits * PRICES.dynamoDbReadUnit +
      usage.sqsRequests * PRICES.sqsRequest +
      usage.events * PRICES.eventBridgeEvent,
  );
}
