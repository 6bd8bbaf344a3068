import type { App } from 'aws-cdk-lib';
import { BackstopStack } from '#infra/backstop-stack.ts';
import { PonteStack } from '#infra/ponte-stack.ts';

/** The stack `Ponte`, and with the context values `monthlyUsd` and `email` its backstop, which AWS alone can take. */
export function ponteApp(app: App): void {
  const ponte = new PonteStack(app, 'Ponte', { description: 'Ponte: photo-z tables from upload to federated dataset' });
  const context = (name: string): unknown => app.node.tryGetContext(name);
  if (context('monthlyUsd') === undefined) return;
  const [monthlyUsd, email] = [Number(context('monthlyUsd')), context('email')];
  if (!(monthlyUsd > 0) || typeof email !== 'string') {
    throw new Error('the backstop needs both: --context monthlyUsd=<number above 0> --context email=<address>');
  }
  new BackstopStack(app, 'PonteBackstop', { monthlyUsd, email, starters: ponte.starters });
}
