import { Duration } from 'aws-cdk-lib';
import { JitterType } from 'aws-cdk-lib/aws-stepfunctions';
import { LambdaInvoke, type LambdaInvokeProps } from 'aws-cdk-lib/aws-stepfunctions-tasks';
import type { Construct } from 'constructs';
import { FINAL_ERROR_NAMES } from '#core/errors.ts';

/** Without a payload the function gets the state's whole input. */
export interface LambdaStepProps extends Omit<LambdaInvokeProps, 'payloadResponseOnly' | 'retryOnServiceExceptions'> {
  /** How often an error that may pass is tried again, at most a quarter of an hour apart. */
  readonly retries?: number;
}

/**
 * A state that calls a function. Errors that trying again cannot help end it at once. One that finds the account's
 * functions all busy waits its turn, for about half an hour: a thousand chunks may come at once. Everything else, also
 * what nobody expected, is tried 4 more times over at most 2 + 4 + 8 + 16 = 30 seconds, unless `retries` says more.
 */
export function lambdaStep(scope: Construct, id: string, { retries = 4, ...props }: LambdaStepProps): LambdaInvoke {
  const step = new LambdaInvoke(scope, id, {
    ...props,
    // The optimised integration (with a token) and the bare function call are two shapes; CDK takes only one at a time.
    ...(props.integrationPattern ? {} : { payloadResponseOnly: true }),
    retryOnServiceExceptions: false,
  });
  step.addRetry({ errors: [...FINAL_ERROR_NAMES], maxAttempts: 0 });
  step.addRetry({
    errors: ['Lambda.TooManyRequestsException'],
    interval: Duration.seconds(1),
    maxAttempts: 60,
    backoffRate: 2,
    maxDelay: Duration.minutes(1),
    jitterStrategy: JitterType.FULL,
  });
  step.addRetry({
    errors: ['States.ALL'],
    interval: Duration.seconds(2),
    maxAttempts: retries,
    backoffRate: 2,
    ...(retries > 4 ? { maxDelay: Duration.minutes(15) } : {}),
    jitterStrategy: JitterType.FULL,
  });
  return step;
}
