import { setTimeout as sleep } from 'node:timers/promises';
import {
  type CancellationReason,
  type DynamoDBClient,
  DynamoDBServiceException,
  TransactionCanceledException,
} from '@aws-sdk/client-dynamodb';
import {
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  TransactWriteCommand,
  type TransactWriteCommandInput,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import { InvariantError, TransientError } from '#core/errors.ts';
import {
  type Condition,
  checkWrites,
  type Item,
  type Key,
  type Page,
  type Table,
  type Write,
  type WriteOutcome,
} from '#core/table.ts';

const itemSchema: z.ZodType<Item> = z.intersection(
  z.object({ pk: z.string(), sk: z.string() }),
  z.record(z.string(), z.json()),
);
const keySchema = z.object({ pk: z.string(), sk: z.string() });

/**
 * The metadata table in DynamoDB. A single row is written by itself, at half the write units that it takes in a
 * transaction; its refusal is told as a transaction of one row would tell it.
 */
export class DynamoDbTable implements Table {
  readonly #client: DynamoDBDocumentClient;
  readonly #name: string;

  constructor(client: DynamoDBClient, name: string) {
    this.#client = DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
    this.#name = name;
  }

  async get(key: Key): Promise<Item | null> {
    const { Item: row } = await this.#client.send(
      new GetCommand({ TableName: this.#name, Key: { pk: key.pk, sk: key.sk }, ConsistentRead: true }),
    );
    return row ? itemSchema.parse(row) : null;
  }

  async query(pk: string, prefix: string, page: { limit?: number; after?: Key } = {}): Promise<Page> {
    const answer = await this.#client.send(
      new QueryCommand({
        TableName: this.#name,
        KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
        ExpressionAttributeValues: { ':pk': pk, ':prefix': prefix },
        ConsistentRead: true,
        ...(page.limit ? { Limit: page.limit } : {}),
        ...(page.after ? { ExclusiveStartKey: { pk: page.after.pk, sk: page.after.sk } } : {}),
      }),
    );
    const cursor = answer.LastEvaluatedKey ? keySchema.parse(answer.LastEvaluatedKey) : null;
    return { items: z.array(itemSchema).parse(answer.Items ?? []), cursor };
  }

  async write(writes: readonly [Write, ...Write[]]): Promise<WriteOutcome> {
    checkWrites(writes);
    const items = writes.map((write) => toTransactItem(this.#name, write));
    const [first, ...others] = items;
    for (let attempt = 1; ; attempt += 1) {
      const reasons = first && others.length === 0 ? await this.#writeAlone(first) : await this.#transact(items);
      if (!reasons) return { written: true };
      const codes = reasons.map((reason) => reason.Code ?? 'None');
      const refused = codes.flatMap((code, position) => (code === 'ConditionalCheckFailed' ? [position] : []));
      if (refused.length > 0) return { written: false, refused };
      if (!codes.some((code) => PASSING.includes(code))) throw unfit(reasons);
      if (attempt === ATTEMPTS) throw busy(codes);
      await sleep(pauseMilliseconds(attempt));
    }
  }

  /** As `#transact`, for one row. */
  async #writeAlone(item: TransactItem): Promise<CancellationReason[] | null> {
    const { Put, Update } = item;
    if (!Put && !Update) return this.#transact([item]);
    try {
      await (Put ? this.#client.send(new PutCommand(Put)) : Update && this.#client.send(new UpdateCommand(Update)));
      return null;
    } catch (error) {
      const Code = error instanceof DynamoDBServiceException ? REASON_OF[error.name] : undefined;
      if (Code === undefined || !(error instanceof Error)) throw error;
      return [{ Code, Message: error.message }];
    }
  }

  /** Why the transaction was cancelled, a reason for each of its items; null when it was done. */
  async #transact(TransactItems: TransactItem[]): Promise<CancellationReason[] | null> {
    try {
      await this.#client.send(new TransactWriteCommand({ TransactItems }));
      return null;
    } catch (error) {
      if (!(error instanceof TransactionCanceledException)) throw error;
      return error.CancellationReasons ?? [];
    }
  }
}

/** Reasons that go away by themselves. DynamoDB cancels whichever of two transactions comes second to a row. */
const PASSING = ['TransactionConflict', 'ThrottlingError', 'ProvisionedThroughputExceeded'];

/** Errors of a single write, as a transaction names them. */
const REASON_OF: Readonly<Record<string, string>> = {
  ConditionalCheckFailedException: 'ConditionalCheckFailed',
  TransactionConflictException: 'TransactionConflict',
  ThrottlingException: 'ThrottlingError',
  ProvisionedThroughputExceededException: 'ProvisionedThroughputExceeded',
  ValidationException: 'ValidationError',
};

/**
 * 64 chunks that settle at once add to one row of their release. Each pause is random up to 25 ms, 50 ms, ... 1.6 s, so
 * all attempts together wait 5.6 s on average and 11.2 s at most, well within a function's two minutes.
 */
const ATTEMPTS = 13;
const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 1600;

const pauseMilliseconds = (attempt: number) =>
  Math.random() * Math.min(FIRST_PAUSE_MS * 2 ** (attempt - 1), LONGEST_PAUSE_MS);

function busy(codes: readonly string[]): TransientError {
  return new TransientError(`the table did not take the write in ${ATTEMPTS} attempts: ${codes.join(', ')}`, {
    code: 'TABLE_BUSY',
    hint: 'Other writers stayed in the way; nothing was written and the same write may be tried again.',
  });
}

function unfit(reasons: readonly CancellationReason[]): InvariantError {
  const said = reasons.flatMap(({ Code, Message }) => (Code === 'None' ? [] : [`${Code}: ${Message ?? ''}`]));
  return new InvariantError(`the table refused the write: ${said.join('; ')}`, {
    code: 'WRITE_UNFIT',
    hint: 'This is a bug of the caller, or the row is of another version.',
  });
}

type TransactItem = NonNullable<TransactWriteCommandInput['TransactItems']>[number];

function toTransactItem(TableName: string, write: Write): TransactItem {
  const expression = new Expression();
  const ConditionExpression = (write.when ?? []).map((condition) => expression.condition(condition)).join(' AND ');
  const guard = ConditionExpression ? { ConditionExpression } : {};
  switch (write.kind) {
    case 'put':
      return { Put: { TableName, Item: { ...write.item }, ...guard, ...expression.attributes() } };
    case 'check':
      return {
        ConditionCheck: { TableName, Key: { ...write.key }, ConditionExpression, ...expression.attributes() },
      };
    case 'update': {
      const clauses = [
        expression.list(
          'SET',
          write.set ?? {},
          (name, value) => `${expression.name(name)} = ${expression.value(value)}`,
        ),
        expression.list('ADD', write.add ?? {}, (name, value) => `${expression.name(name)} ${expression.value(value)}`),
        write.remove?.length ? `REMOVE ${write.remove.map((name) => expression.name(name)).join(', ')}` : '',
      ];
      const UpdateExpression = clauses.filter(Boolean).join(' ');
      return { Update: { TableName, Key: { ...write.key }, UpdateExpression, ...guard, ...expression.attributes() } };
    }
  }
}

/** Collects the placeholders of one write: every name and value goes through one, so none can be a reserved word. */
class Expression {
  readonly #names: Record<string, string> = {};
  readonly #values: Record<string, unknown> = {};

  name(attribute: string): string {
    const known = Object.keys(this.#names).find((placeholder) => this.#names[placeholder] === attribute);
    if (known) return known;
    const placeholder = `#n${Object.keys(this.#names).length}`;
    this.#names[placeholder] = attribute;
    return placeholder;
  }

  value(value: unknown): string {
    const placeholder = `:v${Object.keys(this.#values).length}`;
    this.#values[placeholder] = value;
    return placeholder;
  }

  list<T>(keyword: string, fields: Readonly<Record<string, T>>, clause: (name: string, value: T) => string): string {
    const clauses = Object.entries(fields).map(([name, value]) => clause(name, value));
    return clauses.length > 0 ? `${keyword} ${clauses.join(', ')}` : '';
  }

  condition(condition: Condition): string {
    const name = this.name(condition.attribute);
    switch (condition.kind) {
      case 'absent':
        return `attribute_not_exists(${name})`;
      case 'present':
        return `attribute_exists(${name})`;
      case 'equals':
        return `${name} = ${this.value(condition.value)}`;
      case 'oneOf':
        // `IN ()` is no expression; nothing is one of none.
        if (condition.values.length === 0) return `(attribute_exists(${name}) AND attribute_not_exists(${name}))`;
        return `${name} IN (${condition.values.map((value) => this.value(value)).join(', ')})`;
      case 'atLeast':
        return `${name} >= ${this.value(condition.value)}`;
    }
  }

  attributes(): {
    ExpressionAttributeNames?: Record<string, string>;
    ExpressionAttributeValues?: Record<string, unknown>;
  } {
    return {
      ...(Object.keys(this.#names).length > 0 ? { ExpressionAttributeNames: this.#names } : {}),
      ...(Object.keys(this.#values).length > 0 ? { ExpressionAttributeValues: this.#values } : {}),
    };
  }
}
