import type { App } from 'aws-cdk-lib';
import { BackstopStack } from '#infra/backstop-stack.ts';
import { PROCESSORS, type Processor } from '#infra/code.ts';
import { PonteStack } from '#infra/ponte-stack.ts';

/**
 * The stack `Ponte`: with the context value `sites`, names joined by commas, a role for each of them; with `processor`
 * its functions on `arm64` instead of `x64`; with `monthlyUsd` and `email` its backstop, which AWS alone can take.
 */
export function ponteApp(app: App): void {
  const context = (name: string): unknown => app.node.tryGetContext(name);
  const description = 'Ponte: photo-z tables from upload to federated dataset';
  const ponte = new PonteStack(app, 'Ponte', {
    description,
    sites: siteNames(context('sites')),
    processor: processorOf(context('processor')),
  });
  if (context('monthlyUsd') === undefined) return;
  const [monthlyUsd, email] = [Number(context('monthlyUsd')), context('email')];
  if (!(monthlyUsd > 0) || typeof email !== 'string') {
    throw new Error('the backstop needs both: --context monthlyUsd=<number above 0> --context email=<address>');
  }
  new BackstopStack(app, 'PonteBackstop', { monthlyUsd, email, starters: ponte.starters });
}

function processorOf(given: unknown): Processor {
  const named = PROCESSORS.find((processor) => processor === (given ?? 'x64'));
  if (named) return named;
  throw new Error(`there are functions for ${PROCESSORS.join(' and ')}: --context processor=arm64`);
}

function siteNames(given: unknown): readonly string[] {
  if (given === undefined) return [];
  const names = String(given).split(',');
  // As the names of roles and outputs may be, and the subject of a certificate.
  if (
    names.every((name) => /^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$/.test(name)) &&
    new Set(names).size === names.length
  ) {
    return names;
  }
  throw new Error(
    'sites are names of lower-case letters, digits and -, each once: --context sites=apollo,santos-dumont',
  );
}
