import { join } from 'node:path';
import { CfnOutput, RemovalPolicy, Stack, type StackProps, Stage } from 'aws-cdk-lib';
import { AttributeType, BillingMode, Table, TableEncryption, type TableProps } from 'aws-cdk-lib/aws-dynamodb';
import type { IRole } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import { AgentAccess } from '#infra/agent-access.ts';
import { Alarms } from '#infra/alarms.ts';
import { Campaign } from '#infra/campaign.ts';
import { bundleFunctions, type Processor } from '#infra/code.ts';
import { FurtherDelivery } from '#infra/further-delivery.ts';
import { Intake } from '#infra/intake.ts';
import { Storage } from '#infra/storage.ts';

/** Rows of many kinds under two keys; paid by the call, and not lost with the stack. */
const ONE_TABLE: TableProps = {
  partitionKey: { name: 'pk', type: AttributeType.STRING },
  sortKey: { name: 'sk', type: AttributeType.STRING },
  billingMode: BillingMode.PAY_PER_REQUEST,
  encryption: TableEncryption.AWS_MANAGED,
  pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
  removalPolicy: RemovalPolicy.RETAIN,
};

export interface PonteStackProps extends StackProps {
  /** Sites that get a role of their own beside the one for all. */
  readonly sites?: readonly string[];
  /** What the functions run on; the local cloud's run on this machine's whatever it says. */
  readonly processor?: Processor;
}

/** All of Ponte's cloud. The local cloud gets this very stack. */
export class PonteStack extends Stack {
  /** The roles that start executions and hand out jobs. */
  readonly starters: readonly IRole[];

  constructor(scope: Construct, id: string, { sites = [], processor = 'x64', ...props }: PonteStackProps = {}) {
    super(scope, id, props);
    const storage = new Storage(this, 'Storage');
    const table = new Table(this, 'Metadata', { ...ONE_TABLE, deletionProtection: true });
    // In the output folder, so that two syntheses at once do not share them.
    const code = bundleFunctions(join(Stage.of(this)?.outdir ?? 'cdk.out', 'bundles'), processor);
    const intake = new Intake(this, 'Intake', { code, storage, table });
    const furtherDelivery = new FurtherDelivery(this, 'FurtherDelivery', { code, storage, table });
    const campaign = new Campaign(this, 'Campaign', { code, storage, table, furtherDelivery });
    intake.take.addEnvironment('CAMPAIGN_MACHINE_ARN', campaign.machine.stateMachineArn);
    campaign.machine.grantStartExecution(intake.take);
    campaign.machine.grantExecution(intake.take, 'states:DescribeExecution');
    const machines = [campaign.machine, intake.machine, intake.manifestMachine, furtherDelivery.machine];
    this.starters = [...machines.map(({ role }) => role), ...(intake.take.role ? [intake.take.role] : [])];
    // Apart from the metadata, so that a site can neither read nor change those. What is lost here costs time only.
    const leases = new Table(this, 'Leases', ONE_TABLE);
    const agent = new AgentAccess(this, 'Agent', { storage, campaign, leases, sites });
    const alarms = new Alarms(this, 'Alarms', { intake, campaign, furtherDelivery });

    const outputs = {
      LandingBucket: storage.landing.bucketName,
      LakeBucket: storage.lake.bucketName,
      QuarantineBucket: storage.quarantine.bucketName,
      DeliveryBucket: storage.delivery.bucketName,
      TableName: table.tableName,
      LeaseTable: leases.tableName,
      IntakeQueueUrl: intake.queue.queue.queueUrl,
      JobQueueUrl: campaign.jobs.queue.queueUrl,
      ChunkMachineArn: intake.machine.stateMachineArn,
      CampaignMachineArn: campaign.machine.stateMachineArn,
      DeliveryMachineArn: furtherDelivery.machine.stateMachineArn,
      AgentRoleArn: agent.role.roleArn,
      AlarmTopicArn: alarms.topic.topicArn,
      ...Object.fromEntries([...agent.siteRoles].map(([site, { roleArn }]) => [`AgentRoleArn-${site}`, roleArn])),
    };
    for (const [name, value] of Object.entries(outputs)) new CfnOutput(this, name, { value });
  }
}
