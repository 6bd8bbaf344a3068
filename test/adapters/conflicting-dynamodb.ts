import {
  type DynamoDBClient,
  TransactionCanceledException,
  TransactionConflictException,
} from '@aws-sdk/client-dynamodb';
import { z } from 'zod';

const target = z.object({ Key: z.record(z.string(), z.unknown()) });
const transactionSchema = z.object({
  TransactItems: z.array(
    z.object({
      Put: z.object({ Item: z.object({ pk: z.unknown(), sk: z.unknown() }) }).optional(),
      Update: target.optional(),
      ConditionCheck: target.optional(),
    }),
  ),
});

/** A row written by itself: an Update also has a key, but so has a read. */
const singleSchema = z.union([
  z.object({ Item: z.object({ pk: z.unknown(), sk: z.unknown() }) }),
  z.object({ Key: z.record(z.string(), z.unknown()), UpdateExpression: z.string() }),
]);

/**
 * Makes a client of the local DynamoDB, which takes one request at a time, behave as DynamoDB does: of two transactions
 * in flight that touch one row, the second is cancelled with `TransactionConflict`, and a single write that meets one is
 * refused with `TransactionConflictException` ("Error handling for writing", in the reference of TransactWriteItems).
 * @returns how many were cancelled so far
 */
export function withConflicts(client: DynamoDBClient): () => number {
  const inFlight = new Set<string>();
  let cancelled = 0;
  client.middlewareStack.add(
    (next) => async (args) => {
      const parsed = transactionSchema.safeParse(args.input);
      if (!parsed.success) {
        const single = singleSchema.safeParse(args.input);
        if (!single.success) return next(args);
        const row = 'Item' in single.data ? { pk: single.data.Item.pk, sk: single.data.Item.sk } : single.data.Key;
        if (!inFlight.has(JSON.stringify(row))) return next(args);
        cancelled += 1;
        throw new TransactionConflictException({ $metadata: {}, message: 'Transaction is ongoing for the item' });
      }
      const rows = parsed.data.TransactItems.map(({ Put, Update, ConditionCheck }) =>
        JSON.stringify(Put ? { pk: Put.Item.pk, sk: Put.Item.sk } : (Update ?? ConditionCheck)?.Key),
      );
      if (rows.some((row) => inFlight.has(row))) {
        cancelled += 1;
        throw new TransactionCanceledException({
          $metadata: {},
          message: 'Transaction cancelled',
          CancellationReasons: rows.map((row) => ({ Code: inFlight.has(row) ? 'TransactionConflict' : 'None' })),
        });
      }
      for (const row of rows) inFlight.add(row);
      try {
        return await next(args);
      } finally {
        for (const row of rows) inFlight.delete(row);
      }
    },
    { step: 'initialize', name: 'conflicts' },
  );
  return () => cancelled;
}
