/** A finding of cdk-nag's AwsSolutions pack that is right as it is, and why. */
export interface AcceptedFinding {
  /** The rule, with its detail in brackets where it has one. */
  readonly rule: RegExp;
  /** Paths of the constructs. */
  readonly construct: RegExp;
  readonly reason: string;
}

/** One place for all of them: test/infra/nag.test.ts fails on any other finding, and on an entry that matches nothing. */
export const ACCEPTED_FINDINGS: readonly AcceptedFinding[] = [
  {
    rule: /^IAM5\[Resource::<Storage\w+\.Arn>\/[a-z-]*\/?(\*\/batches\/)?\*\]$/,
    construct: /^Ponte\/(Intake|Campaign|Agent|FurtherDelivery)\//,
    reason:
      'Keys are digests, so a role names the prefixes it may use; the actions are single ones (infra/bucket-access.ts).',
  },
  {
    rule: /^IAM5\[Resource::<\w+\.Arn>:\*\]$/,
    construct: /^Ponte\/(Intake\/(Chunk|Manifests)|Campaign\/Campaign|FurtherDelivery\/Machine)\/Role\//,
    reason: 'The CDK lets a state machine invoke any version of a function it may invoke; all versions are ours.',
  },
  {
    rule: /^IAM5\[Resource::\*\]$/,
    construct: /^Ponte\/(Intake\/(Chunk|Manifests)|Campaign\/Campaign|FurtherDelivery\/Machine)\/Role\//,
    reason: 'Log delivery and X-Ray have no resources to name.',
  },
  {
    rule: /^IAM5\[Resource::\*\]$/,
    construct: /^Ponte\/(Campaign\/Functions\/RequestApprovalRole|Agent\/Role(-[a-z-]+)?)\//,
    reason: 'Answering a task token has no resource to name: the token itself is the capability.',
  },
  {
    rule: /^IAM5\[Resource::arn:<AWS::Partition>:states:.*\]$/,
    construct: /^Ponte\/(Campaign\/(Campaign\/DistributedMapPolicy|Functions\/DeliverFunctionRole)|Intake\/TakeRole)\//,
    reason: "Executions are named at run time; the pattern is bound to this one state machine's own.",
  },
  {
    rule: /^IAM5\[Resource::arn:<AWS::Partition>:(secretsmanager:.*:secret:ponte\/destinations\/|iam::\*:role\/ponte-delivery-)\*\]$/,
    construct: /^Ponte\/FurtherDelivery\/DeliverRole\//,
    reason:
      'Destinations are named in registrations, after the deployment; secrets and roles of this purpose have a prefix of their own.',
  },
  {
    rule: /^SF2$/,
    construct: /^Ponte\/(Intake\/(Chunk|Manifests)|Campaign\/Campaign|FurtherDelivery\/Machine)\//,
    reason: 'A trace of each of 154,000 chunks costs more than it tells; executions keep their history.',
  },
];
