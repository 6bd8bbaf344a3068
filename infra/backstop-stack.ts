import { Stack, type StackProps } from 'aws-cdk-lib';
import { CfnBudget, CfnBudgetsAction } from 'aws-cdk-lib/aws-budgets';
import { Effect, type IRole, ManagedPolicy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';

export interface BackstopProps extends StackProps {
  /** USD a month of the whole account. */
  readonly monthlyUsd: number;
  /** Who is told. */
  readonly email: string;
  /** The roles that start work, which the action forbids. */
  readonly starters: readonly IRole[];
}

/** Told at this share of the budget; at all of it, nothing starts any more. */
const WARN_PERCENT = 80;

/**
 * The last line of defence behind the ledger, for AWS only: the local cloud has no budgets. AWS looks at the bill a few times
 * a day, hours late, so this bounds a mistake in the ledger's prices, not a campaign.
 */
export class BackstopStack extends Stack {
  constructor(scope: Construct, id: string, { monthlyUsd, email, starters, ...props }: BackstopProps) {
    super(scope, id, props);
    const subscribers = [{ subscriptionType: 'EMAIL', address: email }];
    const budget = new CfnBudget(this, 'Month', {
      budget: {
        budgetType: 'COST',
        timeUnit: 'MONTHLY',
        budgetLimit: { amount: monthlyUsd, unit: 'USD' },
      },
      notificationsWithSubscribers: [
        {
          notification: {
            notificationType: 'ACTUAL',
            comparisonOperator: 'GREATER_THAN',
            threshold: WARN_PERCENT,
            thresholdType: 'PERCENTAGE',
          },
          subscribers,
        },
      ],
    });
    const nothingStarts = new ManagedPolicy(this, 'NothingStarts', {
      description: 'Attached by the budget when it is used up; see docs/runbook.md',
      statements: [
        new PolicyStatement({
          effect: Effect.DENY,
          actions: ['states:StartExecution', 'sqs:SendMessage', 'lambda:InvokeFunction'],
          resources: ['*'],
        }),
      ],
    });
    const acting = new Role(this, 'Acting', { assumedBy: new ServicePrincipal('budgets.amazonaws.com') });
    acting.addToPolicy(
      new PolicyStatement({
        actions: ['iam:AttachRolePolicy', 'iam:DetachRolePolicy'],
        resources: starters.map(({ roleArn }) => roleArn),
        conditions: { ArnEquals: { 'iam:PolicyARN': nothingStarts.managedPolicyArn } },
      }),
    );
    new CfnBudgetsAction(this, 'Stop', {
      budgetName: budget.ref,
      actionType: 'APPLY_IAM_POLICY',
      actionThreshold: { type: 'PERCENTAGE', value: 100 },
      approvalModel: 'AUTOMATIC',
      notificationType: 'ACTUAL',
      executionRoleArn: acting.roleArn,
      definition: {
        iamActionDefinition: {
          policyArn: nothingStarts.managedPolicyArn,
          roles: starters.map(({ roleName }) => roleName),
        },
      },
      subscribers: subscribers.map(({ subscriptionType, address }) => ({ type: subscriptionType, address })),
    });
  }
}
