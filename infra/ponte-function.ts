import { Duration, RemovalPolicy, Size } from 'aws-cdk-lib';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Architecture, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import type { FunctionCode, FunctionName } from '#infra/code.ts';

export interface PonteFunctionProps {
  readonly code: FunctionCode;
  readonly name: FunctionName;
  readonly environment: { readonly [name: string]: string };
  readonly memoryMb?: number;
  readonly timeout?: Duration;
  /** The function's own disk, for one chunk or one catalogue at a time. */
  readonly diskGb?: number;
  /** How many of it may run at once; as many can run however busy the account's other functions are. */
  readonly reservedConcurrency?: number;
}

/** The bundles are built for Node 22 and newer (infra/code.ts). */
const RUNTIME = Runtime.NODEJS_24_X;

/** A function with the house's defaults: its own role, its own log group that ends, no shared permissions. */
export class PonteFunction extends LambdaFunction {
  readonly logs: LogGroup;

  constructor(scope: Construct, id: string, props: PonteFunctionProps) {
    const logGroup = new LogGroup(scope, `${id}Logs`, {
      retention: RetentionDays.THREE_MONTHS,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const role = new Role(scope, `${id}Role`, { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    logGroup.grantWrite(role);
    super(scope, id, {
      code: props.code.code(props.name),
      handler: `${props.name}.handler`,
      runtime: RUNTIME,
      architecture: props.code.processor === 'arm64' ? Architecture.ARM_64 : Architecture.X86_64,
      role,
      memorySize: props.memoryMb ?? 512,
      timeout: props.timeout ?? Duration.minutes(2),
      ephemeralStorageSize: Size.gibibytes(props.diskGb ?? 1),
      ...(props.reservedConcurrency === undefined ? {} : { reservedConcurrentExecutions: props.reservedConcurrency }),
      environment: { ...props.environment, NODE_OPTIONS: '--enable-source-maps', POWERTOOLS_SERVICE_NAME: 'ponte' },
      logGroup,
    });
    this.logs = logGroup;
  }
}
