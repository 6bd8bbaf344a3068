import book from '#schemas/prices.json' with { type: 'json' };

/** The dated price book `schemas/prices.json`, with its source and what each price is for. Micro-dollars (1e-6 USD). */
export const PRICES = { date: book.date, region: book.region, ...book.prices };

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
