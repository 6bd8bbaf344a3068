import book from '#schemas/prices.json' with { type: 'json' };

/** The dated price book `schemas/prices.json`, with its source and what each price is for. Micro-dollars (1e-6 USD). */
export const PRICES = { date: book.date, region: book.region, ...book.prices };

/** Micro-dollars for one of each thing that the control plane is charged for. */
const PRICE_OF = {
  lambdaRequests: PRICES.lambdaRequest,
  lambdaGbSeconds: PRICES.lambdaGbSecond,
  /** Of a function's disk beyond 512 MB. */
  lambdaDiskGbSeconds: PRICES.lambdaDiskGbSecond,
  stateTransitions: PRICES.stateTransition,
  s3Puts: PRICES.s3Put,
  s3Gets: PRICES.s3Get,
  dynamoDbWriteUnits: PRICES.dynamoDbWriteUnit,
  dynamoDbReadUnits: PRICES.dynamoDbReadUnit,
  sqsRequests: PRICES.sqsRequest,
  events: PRICES.eventBridgeEvent,
  logBytes: PRICES.logGb / 1e9,
} as const;

type Charged = keyof typeof PRICE_OF;

/** Counted use of the control plane. */
export type Usage = Readonly<Record<Charged, number>>;

const usageOf = (value: (name: Charged) => number): Usage => ({
  lambdaRequests: value('lambdaRequests'),
  lambdaGbSeconds: value('lambdaGbSeconds'),
  lambdaDiskGbSeconds: value('lambdaDiskGbSeconds'),
  stateTransitions: value('stateTransitions'),
  s3Puts: value('s3Puts'),
  s3Gets: value('s3Gets'),
  dynamoDbWriteUnits: value('dynamoDbWriteUnits'),
  dynamoDbReadUnits: value('dynamoDbReadUnits'),
  sqsRequests: value('sqsRequests'),
  events: value('events'),
  logBytes: value('logBytes'),
});

export const sumOfUsage = (usages: readonly Usage[]): Usage =>
  usageOf((name) => usages.reduce((sum, usage) => sum + usage[name], 0));

/** What each part of a use costs at the book's prices, in micro-dollars with their fractions. */
export const pricedUsage = (usage: Usage): Usage => usageOf((name) => usage[name] * PRICE_OF[name]);

/** What a use costs in all, in micro-dollars with their fractions. */
export const costMicroUsd = (usage: Usage): number =>
  Object.values(pricedUsage(usage)).reduce((sum, microUsd) => sum + microUsd, 0);

/** What a use of the control plane costs at the book's prices, in micro-dollars, rounded up. */
export const priceMicroUsd = (usage: Usage): number => Math.ceil(costMicroUsd(usage));
