import type { App } from 'aws-cdk-lib';
import { z } from 'zod';
import { BackstopStack } from '#infra/backstop-stack.ts';
import { PonteStack } from '#infra/ponte-stack.ts';

const backstopSchema = z.object({ monthlyUsd: z.coerce.number().positive(), email: z.email() });

/** The stack `Ponte`, and with the context values `monthlyUsd` and `email` its backstop, which AWS alone can take. */
export function ponteApp(app: App): void {
  const ponte = new PonteStack(app, 'Ponte', { description: 'Ponte: photo-z tables from upload to federated dataset' });
  const [monthlyUsd, email] = ['monthlyUsd', 'email'].map((name): unknown => app.node.tryGetContext(name));
  if (monthlyUsd === undefined) return;
  const { starters } = ponte;
  new BackstopStack(app, 'PonteBackstop', { ...backstopSchema.parse({ monthlyUsd, email }), starters });
}
