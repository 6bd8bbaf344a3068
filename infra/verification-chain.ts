import { type Chain, type DistributedMap, type IChainable, JsonPath, TaskInput } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import type { VerificationFunctions } from '#infra/campaign-functions.ts';
import { lambdaStep } from '#infra/lambda-step.ts';
import type { PonteFunction } from '#infra/ponte-function.ts';

export interface VerificationProps {
  readonly functions: VerificationFunctions;
  /** A map over a list in the lake. */
  readonly map: (id: string, keyPath: string) => DistributedMap;
  /** Puts the reason on the campaign's row; inside a map this has to happen where the failure is. */
  readonly onFailure: (of: string) => IChainable;
}

/** Every partition by itself, then every range of ids, then the whole by what was found in them. */
export function verificationChain(scope: Construct, { functions, map, onFailure }: VerificationProps): Chain {
  const campaign = { campaign: JsonPath.stringAt('$.campaign') };
  const looked = { ...campaign, partitions: JsonPath.objectAt('$.looks.partitions') };
  const each = (id: string, lambdaFunction: PonteFunction) =>
    lambdaStep(scope, id, { lambdaFunction }).addCatch(onFailure(id), { resultPath: '$.failure' });
  return lambdaStep(scope, 'PlanVerification', {
    lambdaFunction: functions.planVerification,
    payload: TaskInput.fromObject(campaign),
    resultPath: '$.looks',
  })
    .next(map('VerifyPartitions', '$.looks.key').itemProcessor(each('VerifyPartition', functions.verifyPartition)))
    .next(
      lambdaStep(scope, 'PlanIdRanges', {
        lambdaFunction: functions.planIdRanges,
        payload: TaskInput.fromObject(looked),
        resultPath: '$.ids',
      }),
    )
    .next(map('VerifyIdRanges', '$.ids.key').itemProcessor(each('VerifyIdRange', functions.verifyIdRange)))
    .next(
      lambdaStep(scope, 'VerifyCatalogue', {
        lambdaFunction: functions.verifyCatalogue,
        payload: TaskInput.fromObject({ ...looked, idRanges: JsonPath.objectAt('$.ids.idRanges') }),
        resultPath: JsonPath.DISCARD,
      }),
    );
}
