import { Alarm, ComparisonOperator, type IMetric, Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { FilterPattern, type LogGroup, MetricFilter } from 'aws-cdk-lib/aws-logs';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import type { Campaign } from '#infra/campaign.ts';
import type { FurtherDelivery } from '#infra/further-delivery.ts';
import type { Intake } from '#infra/intake.ts';

export interface AlarmsProps {
  readonly intake: Intake;
  readonly campaign: Campaign;
  readonly furtherDelivery: FurtherDelivery;
}

/** What calls a person. Each alarm says what breaks for people, and has its section in docs/runbook.md. */
export class Alarms extends Construct {
  readonly topic: Topic;

  constructor(scope: Construct, id: string, { intake, campaign, furtherDelivery }: AlarmsProps) {
    super(scope, id);
    this.topic = new Topic(this, 'Topic', { enforceSSL: true, displayName: 'Ponte' });
    this.#alarm(
      'ChunksQuarantined',
      logged(this, 'ChunksQuarantined', 'Chunk:Quarantined', {
        Quarantined: intake.inspect.logs,
        QuarantinedByManifest: intake.manifest.logs,
      }),
      'Objects of a refused chunk will be missing from the table.',
    );
    this.#alarm(
      'IntakeDeadLetters',
      intake.queue.deadLetters.metricApproximateNumberOfMessagesVisible(),
      'An upload was not looked at; its release never completes.',
    );
    this.#alarm(
      'JobDeadLetters',
      campaign.jobs.deadLetters.metricApproximateNumberOfMessagesVisible(),
      'A job was handed out again and again and no site took it in; its campaign stands still.',
    );
    this.#alarm(
      'ChunkMachineFailed',
      intake.machine.metricFailed(),
      'A chunk is neither skinny nor in quarantine; its release never completes.',
    );
    this.#alarm(
      'ManifestMachineFailed',
      intake.manifestMachine.metricFailed(),
      'What a publisher lists is not known; its release never completes.',
    );
    this.#alarm('CampaignFailed', campaign.machine.metricFailed(), 'A table is not delivered.');
    this.#alarm(
      'DeliveryFailed',
      furtherDelivery.machine.metricFailed(),
      'A table is public here, and not at another destination of its campaign.',
    );
    this.#alarm(
      'CampaignPaused',
      logged(this, 'CampaignsPaused', 'Campaign:Paused', { Paused: campaign.pauses }),
      'A cap, a breaker or the kill switch holds a campaign, and it waits for a person.',
    );
  }

  #alarm(name: string, metric: IMetric, breaks: string): void {
    const alarm = new Alarm(this, name, {
      alarmDescription: `${breaks} See docs/runbook.md#${name.toLowerCase()}`,
      metric,
      threshold: 1,
      evaluationPeriods: 1,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
    alarm.addAlarmAction(new SnsAction(this.topic));
  }
}

/**
 * How often one message was logged in any of the groups: one number for all, because a metric per chunk or campaign would
 * cost more than the pipeline.
 */
function logged(
  scope: Construct,
  metricName: string,
  message: string,
  logs: { readonly [id: string]: LogGroup },
): IMetric {
  const metric = { metricNamespace: 'Ponte', metricName };
  for (const [id, logGroup] of Object.entries(logs)) {
    const filterPattern = FilterPattern.stringValue('$.message', '=', message);
    new MetricFilter(scope, id, { logGroup, ...metric, filterPattern, metricValue: '1' });
  }
  return new Metric({ namespace: metric.metricNamespace, metricName, statistic: 'Sum' });
}
