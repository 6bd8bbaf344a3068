import { failFurther, furtherOrderSchema } from '#core/further-delivery.ts';
import { failureSchema, sentence } from '#functions/failure.ts';
import { handler as stack } from '#functions/handler.ts';

const inputSchema = furtherOrderSchema.extend(failureSchema.shape);

/** Puts the reason where people look: on the row of the delivery at that destination. */
export const handler = stack(inputSchema, async ({ delivery, destination, error, cause }, { table, log }) => {
  const failure = sentence({ error, cause });
  await failFurther(table, { delivery, destination }, failure);
  log.error('Delivery:Failed', { delivery, destination, failure });
  return { failure };
});
