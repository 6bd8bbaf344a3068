import { z } from 'zod';

/** How a state machine hands on what its Catch caught. */
export const failureSchema = z.object({ error: z.string(), cause: z.string() });

const lambdaCauseSchema = z.object({ errorMessage: z.string() });

/** One sentence for people: a function's error comes as a JSON document with a stack trace. */
export function sentence({ error, cause }: z.infer<typeof failureSchema>): string {
  return `${error}: ${messageOf(cause)}`;
}

function messageOf(cause: string): string {
  try {
    const parsed = lambdaCauseSchema.safeParse(JSON.parse(cause));
    return parsed.success ? parsed.data.errorMessage : cause;
  } catch {
    return cause;
  }
}
