import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware';
import middy from '@middy/core';
import type { z } from 'zod';
import { InputError } from '#core/errors.ts';
import { connect, log, type Services } from '#functions/services.ts';

/**
 * The one stack around every function: the log's context, the input checked against its schema, one log line for the
 * outcome. Errors keep their `name`, which the state machines' Retry and Catch match on.
 */
export function handler<In, Out>(input: z.ZodType<In>, work: (input: In, services: Services) => Promise<Out>) {
  const services = connect(process.env);
  return middy()
    .use(injectLambdaContext(log, { resetKeys: true }))
    .use(outcomeLogged())
    .handler(async (event: unknown): Promise<Out> => work(parseInput(input, event), services));
}

function parseInput<In>(schema: z.ZodType<In>, event: unknown): In {
  const parsed = schema.safeParse(event);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new InputError(`the input's ${issue?.path.join('.') || 'shape'} is wrong: ${issue?.message ?? 'unknown'}`, {
    code: 'INPUT_INVALID',
    hint: 'The sender and this function are of different versions, or the sender is not ours.',
    cause: parsed.error,
  });
}

function outcomeLogged(): middy.MiddlewareObj {
  const started = new WeakMap<object, number>();
  return {
    before: (request) => {
      started.set(request, performance.now());
    },
    after: (request) => {
      log.info('Function:Succeeded', { milliseconds: Math.round(performance.now() - (started.get(request) ?? 0)) });
    },
    onError: (request) => {
      log.error('Function:Failed', { error: request.error ?? new Error('unknown') });
    },
  };
}
