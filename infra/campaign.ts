import { Duration } from 'aws-cdk-lib';
import type { Table } from 'aws-cdk-lib/aws-dynamodb';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Bucket, type IBucket } from 'aws-cdk-lib/aws-s3';
import {
  Choice,
  Condition,
  DefinitionBody,
  DistributedMap,
  Fail,
  type IChainable,
  Map as InlineMap,
  IntegrationPattern,
  JsonPath,
  Parallel,
  StateMachine,
  StateMachineType,
  Succeed,
  TaskInput,
  Timeout,
} from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { allowPutInParts, allowRead } from '#infra/bucket-access.ts';
import { CampaignFunctions } from '#infra/campaign-functions.ts';
import type { FunctionCode } from '#infra/code.ts';
import type { FurtherDelivery } from '#infra/further-delivery.ts';
import { jobChain } from '#infra/job-chain.ts';
import { LakeItems, LakeResults } from '#infra/lake-items.ts';
import { lambdaStep } from '#infra/lambda-step.ts';
import { machineLogs } from '#infra/machine-logs.ts';
import { QueuePair } from '#infra/queues.ts';
import type { Storage } from '#infra/storage.ts';
import { verificationChain } from '#infra/verification-chain.ts';

export interface CampaignProps {
  readonly code: FunctionCode;
  readonly storage: Storage;
  readonly table: Table;
  readonly furtherDelivery: FurtherDelivery;
}

/** Jobs in flight at once: what two sites can hold in their queues, not what they can run. */
const BATCHES_IN_FLIGHT = 200;
/**
 * A site gives a message back that its campaign has no share for (every five minutes, bridge-agent/intake.ts), and each time
 * counts: SQS's most, three and a half days. The job is sent again every hour anyway.
 */
const JOB_DELIVERIES = 1000;
const PARTITIONS_AT_ONCE = 40;
/** How long a coordinator may take. */
const APPROVAL_WAITS = Duration.days(90);

/** The production of one table: inform, validate, approve, estimate, pack, verify, deliver. */
export class Campaign extends Construct {
  readonly jobs: QueuePair;
  readonly machine: StateMachine;
  /** Where `Campaign:Paused` is logged. */
  readonly pauses: LogGroup;
  readonly #functions: CampaignFunctions;
  readonly #storage: Storage;
  /** The lake as the maps take it: by name, because its class and its interface disagree on optional properties. */
  readonly #lake: IBucket;

  constructor(scope: Construct, id: string, props: CampaignProps) {
    super(scope, id);
    this.#storage = props.storage;
    this.#lake = Bucket.fromBucketName(this, 'LakeByName', props.storage.lake.bucketName);
    this.#functions = new CampaignFunctions(this, 'Functions', props);
    this.pauses = this.#functions.failCampaign.logs;
    // The agent deletes a message as soon as it has journalled the work, so this only bounds a crash in between.
    this.jobs = new QueuePair(this, 'Jobs', {
      visibilityTimeout: Duration.minutes(2),
      maxReceiveCount: JOB_DELIVERIES,
    });

    const { planCampaign } = this.#functions;
    const production = lambdaStep(this, 'Plan', {
      lambdaFunction: planCampaign,
      resultPath: '$.plan',
    })
      .next(this.#informAndValidate())
      .next(this.#approve(this.#estimate().next(this.#pack())));
    const whole = new Parallel(this, 'Produce', { resultPath: JsonPath.DISCARD }).branch(production);
    whole.addCatch(this.#recordFailure('Campaign'), { resultPath: '$.failure' });
    this.machine = new StateMachine(this, 'Campaign', {
      comment: 'The production of one photo-z table',
      definitionBody: DefinitionBody.fromChainable(whole),
      logs: machineLogs(this, 'CampaignLogs'),
    });
    this.#grantMaps();
  }

  #informAndValidate(): InlineMap {
    const { prepareJob, verifyJob } = this.#functions;
    const job = { prepare: prepareJob, verify: verifyJob, jobs: this.jobs.queue };
    const perAlgorithm = new InlineMap(this, 'InformAndValidate', {
      itemsPath: '$.plan.algorithms',
      resultPath: JsonPath.DISCARD,
    });
    const inform = jobChain(this, { kind: 'inform', ...job });
    const validate = jobChain(this, { kind: 'validate', ...job });
    return perAlgorithm.itemProcessor(sequence(inform, validate));
  }

  #approve(then: IChainable): IChainable {
    const request = lambdaStep(this, 'WaitForApproval', {
      lambdaFunction: this.#functions.requestApproval,
      integrationPattern: IntegrationPattern.WAIT_FOR_TASK_TOKEN,
      payload: TaskInput.fromObject({ campaign: JsonPath.stringAt('$.campaign'), taskToken: JsonPath.taskToken }),
      taskTimeout: Timeout.duration(APPROVAL_WAITS),
      resultPath: '$.decision',
    });
    const rejected = new Fail(this, 'Rejected', {
      error: 'ApprovalRejected',
      causePath: JsonPath.stringAt('$.decision.comment'),
    });
    return request.next(
      new Choice(this, 'IsApproved')
        .when(Condition.stringEquals('$.decision.verdict', 'approved'), then)
        .otherwise(rejected),
    );
  }

  #estimate() {
    const { planBatches, prepareJob, verifyJob } = this.#functions;
    const batches = this.#map('EstimateBatches', '$.batches.key', BATCHES_IN_FLIGHT).itemProcessor(
      jobChain(this, {
        kind: 'estimate',
        prepare: prepareJob,
        verify: verifyJob,
        jobs: this.jobs.queue,
        onFailure: this.#recordFailure('Batch'),
      }),
    );
    return lambdaStep(this, 'PlanBatches', {
      lambdaFunction: planBatches,
      payload: TaskInput.fromObject({ campaign: JsonPath.stringAt('$.campaign') }),
      resultPath: '$.batches',
    }).next(batches);
  }

  #pack(): IChainable {
    const { planPartitions, packPartition, finishCatalogue } = this.#functions;
    const campaign = TaskInput.fromObject({ campaign: JsonPath.stringAt('$.campaign') });
    const catalogue = TaskInput.fromObject({
      campaign: JsonPath.stringAt('$.campaign'),
      plan: JsonPath.objectAt('$.partitions.plan'),
    });
    const keepNothing = { resultPath: JsonPath.DISCARD };
    return lambdaStep(this, 'PlanPartitions', {
      lambdaFunction: planPartitions,
      payload: campaign,
      resultPath: '$.partitions',
    })
      .next(
        this.#map('PackPartitions', '$.partitions.key', PARTITIONS_AT_ONCE).itemProcessor(
          lambdaStep(this, 'PackPartition', { lambdaFunction: packPartition }).addCatch(
            this.#recordFailure('Partition'),
            { resultPath: '$.failure' },
          ),
        ),
      )
      .next(
        lambdaStep(this, 'FinishCatalogue', { lambdaFunction: finishCatalogue, payload: catalogue, ...keepNothing }),
      )
      .next(
        verificationChain(this, {
          functions: this.#functions.verification,
          map: (id, keyPath) => this.#map(id, keyPath, PARTITIONS_AT_ONCE),
          onFailure: (of) => this.#recordFailure(of),
        }).next(this.#deliver(catalogue)),
      );
  }

  /** Called again until all is there: a catalogue may take longer than a function may. */
  #deliver(payload: TaskInput): IChainable {
    const step = lambdaStep(this, 'Deliver', {
      lambdaFunction: this.#functions.deliver,
      payload,
      resultPath: '$.delivered',
    });
    return step.next(
      new Choice(this, 'IsDelivered')
        .when(Condition.booleanEquals('$.delivered.finished', true), new Succeed(this, 'Delivered'))
        .otherwise(step),
    );
  }

  /**
   * Puts the reason on the campaign's row and fails. Inside a map this has to happen where the failure is: the map
   * itself only says that too many of its children failed. The first reason stays.
   */
  #recordFailure(of: string): IChainable {
    return lambdaStep(this, `Record${of}Failure`, {
      lambdaFunction: this.#functions.failCampaign,
      payload: TaskInput.fromObject({
        campaign: JsonPath.stringAt('$.campaign'),
        error: JsonPath.stringAt('$.failure.Error'),
        cause: JsonPath.stringAt('$.failure.Cause'),
      }),
    }).next(new Fail(this, `${of}Failed`, { error: `${of}Failed`, cause: 'ponte campaign watch shows the reason' }));
  }

  /** Items come from a list in the lake and results go there, so no list of batches passes through the machine. */
  #map(id: string, keyPath: string, maxConcurrency: number): DistributedMap {
    return new DistributedMap(this, id, {
      itemReader: new LakeItems({ bucket: this.#lake, key: JsonPath.stringAt(keyPath) }),
      mapExecutionType: StateMachineType.STANDARD,
      maxConcurrency,
      toleratedFailurePercentage: 0,
      resultWriterV2: new LakeResults({ bucket: this.#lake, prefix: 'map-results' }),
      resultPath: JsonPath.DISCARD,
    });
  }

  #grantMaps(): void {
    allowRead(this.machine, this.#storage.lake, 'campaigns/*', 'map-results/*');
    allowPutInParts(this.machine, this.#storage.lake, 'map-results/*');
  }
}

function sequence(first: IChainable, second: IChainable): IChainable {
  for (const end of first.endStates) end.next(second);
  return { id: first.id, startState: first.startState, endStates: second.endStates };
}
