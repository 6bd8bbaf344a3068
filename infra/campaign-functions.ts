import { Duration } from 'aws-cdk-lib';
import type { Table } from 'aws-cdk-lib/aws-dynamodb';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { allowPut, allowRead } from '#infra/bucket-access.ts';
import type { FunctionCode, FunctionName } from '#infra/code.ts';
import type { FurtherDelivery } from '#infra/further-delivery.ts';
import { PonteFunction, type PonteFunctionProps } from '#infra/ponte-function.ts';
import type { Storage } from '#infra/storage.ts';

export interface CampaignFunctionsProps {
  readonly code: FunctionCode;
  readonly storage: Storage;
  readonly table: Table;
  readonly furtherDelivery: FurtherDelivery;
}

/** The steps of a verification (functions/verification.ts). */
export interface VerificationFunctions {
  readonly planVerification: PonteFunction;
  readonly verifyPartition: PonteFunction;
  readonly planIdRanges: PonteFunction;
  readonly verifyIdRange: PonteFunction;
  readonly verifyCatalogue: PonteFunction;
}

/** The functions of a campaign, each with no more of the table and the buckets than it needs. */
export class CampaignFunctions extends Construct {
  readonly planCampaign: PonteFunction;
  readonly prepareJob: PonteFunction;
  readonly verifyJob: PonteFunction;
  readonly requestApproval: PonteFunction;
  readonly planBatches: PonteFunction;
  readonly planPartitions: PonteFunction;
  readonly packPartition: PonteFunction;
  readonly finishCatalogue: PonteFunction;
  readonly verification: VerificationFunctions;
  readonly deliver: PonteFunction;
  readonly failCampaign: PonteFunction;
  readonly #props: CampaignFunctionsProps;

  constructor(scope: Construct, id: string, props: CampaignFunctionsProps) {
    super(scope, id);
    this.#props = props;
    const { lake, delivery } = props.storage;
    const long = { timeout: Duration.minutes(15) };
    const withDisk = { ...long, memoryMb: 2048, diskGb: 10 };
    this.planCampaign = this.#function('PlanCampaign', 'plan', long);
    this.prepareJob = this.#function('PrepareJob', 'prepare-job');
    this.verifyJob = this.#function('VerifyJob', 'verify-job');
    this.requestApproval = this.#function('RequestApproval', 'request-approval');
    this.planBatches = this.#function('PlanBatchesFunction', 'plan-batches', long);
    this.planPartitions = this.#function('PlanPartitionsFunction', 'plan-partitions', { ...long, memoryMb: 2048 });
    this.packPartition = this.#function('PackPartitionFunction', 'pack-partition', withDisk);
    this.finishCatalogue = this.#function('FinishCatalogueFunction', 'finish-catalogue', withDisk);
    // All lists and records of a survey pass through these (docs/performance.md).
    const ofSurveys = { ...long, memoryMb: 4096 };
    this.verification = {
      planVerification: this.#function('PlanVerificationFunction', 'plan-verification', ofSurveys),
      verifyPartition: this.#function('VerifyPartitionFunction', 'verify-partition', withDisk),
      planIdRanges: this.#function('PlanIdRangesFunction', 'plan-id-ranges', ofSurveys),
      verifyIdRange: this.#function('VerifyIdRangeFunction', 'verify-id-range', withDisk),
      verifyCatalogue: this.#function('VerifyCatalogueFunction', 'verify-catalogue', { ...ofSurveys, diskGb: 10 }),
    };
    this.deliver = this.#function('DeliverFunction', 'deliver', long);
    this.failCampaign = this.#function('FailCampaign', 'fail-campaign');

    allowRead(this.prepareJob, lake, 'campaigns/*');
    allowRead(this.verifyJob, lake, 'campaigns/*', 'work/*');
    allowRead(this.requestApproval, lake, 'work/*');
    allowPut(this.requestApproval, lake, 'campaigns/*');
    allowRead(this.planBatches, lake, 'chunks/*');
    allowPut(this.planBatches, lake, 'campaigns/*');
    allowRead(this.planPartitions, lake, 'chunks/*', 'partitionings/*');
    allowPut(this.planPartitions, lake, 'campaigns/*');
    allowRead(this.packPartition, lake, 'campaigns/*', 'skinny/*', 'work/*');
    allowPut(this.packPartition, lake, 'catalogues/*');
    allowRead(this.finishCatalogue, lake, 'campaigns/*', 'catalogues/*');
    allowPut(this.finishCatalogue, lake, 'catalogues/*');
    const { planVerification, verifyPartition, planIdRanges, verifyIdRange } = this.verification;
    for (const step of Object.values(this.verification)) allowRead(step, lake, 'campaigns/*', 'catalogues/*');
    allowPut(planVerification, lake, 'campaigns/*');
    allowPut(planIdRanges, lake, 'campaigns/*', 'catalogues/*');
    for (const step of [verifyPartition, verifyIdRange]) allowPut(step, lake, 'catalogues/*');
    allowRead(this.deliver, lake, 'campaigns/*', 'catalogues/*');
    allowRead(this.deliver, delivery, '*');
    allowPut(this.deliver, delivery, '*');
    const { machine } = props.furtherDelivery;
    this.deliver.addEnvironment('DELIVERY_MACHINE_ARN', machine.stateMachineArn);
    machine.grantStartExecution(this.deliver);
    machine.grantExecution(this.deliver, 'states:DescribeExecution');
    // Answering a task token has no resource to name: the token itself is the capability.
    this.requestApproval.addToRolePolicy(
      new PolicyStatement({ actions: ['states:SendTaskSuccess', 'states:SendTaskFailure'], resources: ['*'] }),
    );
  }

  #function(id: string, name: FunctionName, extra: Partial<PonteFunctionProps> = {}): PonteFunction {
    const { code, table, storage } = this.#props;
    const created = new PonteFunction(this, id, {
      code,
      name,
      environment: {
        TABLE: table.tableName,
        LAKE_BUCKET: storage.lake.bucketName,
        DELIVERY_BUCKET: storage.delivery.bucketName,
      },
      ...extra,
    });
    table.grantReadWriteData(created);
    return created;
  }
}
