import type { Cloud } from '#cli/context.ts';
import {
  type FurtherDelivery,
  type FurtherOrder,
  furtherExecutionName,
  openFurther,
  readFurther,
  standingDelivery,
} from '#core/further-delivery.ts';
import { type Started, startOrRetry } from '#core/ports.ts';

export interface Redelivered {
  /** What it was before. */
  readonly before: FurtherDelivery['state'];
  /** `alreadyStarted`: it is on its way, or there. */
  readonly started: Started;
}

/**
 * Has a delivery that failed at one of its campaign's destinations go on there, from where it was.
 * @throws {InputError} `DESTINATION_UNKNOWN`, `DELIVERY_UNKNOWN`, `DELIVERY_WITHDRAWN`.
 */
export async function redeliver(
  { table, deliveryMachine }: Pick<Cloud, 'table' | 'deliveryMachine'>,
  order: FurtherOrder,
  now: Date,
): Promise<Redelivered> {
  const delivered = await standingDelivery(table, order.delivery);
  const { place, state } = await readFurther(table, order);
  await openFurther(table, delivered, place, now);
  const started = await startOrRetry(deliveryMachine, furtherExecutionName(order), () => order);
  return { before: state, started };
}
