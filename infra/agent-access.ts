import type { Table } from 'aws-cdk-lib/aws-dynamodb';
import { AccountRootPrincipal, CompositePrincipal, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { allowPut, allowRead } from '#infra/bucket-access.ts';
import type { Campaign } from '#infra/campaign.ts';
import type { Storage } from '#infra/storage.ts';

export interface AgentAccessProps {
  readonly storage: Storage;
  readonly campaign: Campaign;
  /** Which site works on what: the only table that an agent may touch. */
  readonly leases: Table;
}

/**
 * All that an agent at a site may do: take jobs, read what they name, put back results, answer tokens. It can read
 * neither the uploads nor the metadata, and it cannot touch what was delivered.
 */
export class AgentAccess extends Construct {
  readonly role: Role;

  constructor(scope: Construct, id: string, { storage, campaign, leases }: AgentAccessProps) {
    super(scope, id);
    // A site signs in with its certificate (IAM Roles Anywhere); nothing at a site holds a long-lived key.
    const site = new ServicePrincipal('rolesanywhere.amazonaws.com');
    this.role = new Role(this, 'Role', {
      description: 'The bridge agent at a site',
      assumedBy: new CompositePrincipal(new AccountRootPrincipal(), site),
    });
    this.role.assumeRolePolicy?.addStatements(
      new PolicyStatement({ principals: [site], actions: ['sts:SetSourceIdentity', 'sts:TagSession'] }),
    );
    campaign.jobs.queue.grantConsumeMessages(this.role);
    // With listing: without it S3 answers "forbidden" for what is not there yet, and the agent asks before it uploads.
    allowRead(this.role, storage.lake, 'skinny/*', 'training/*', 'ancillary/*', 'work/*', 'campaigns/*/batches/*');
    allowPut(this.role, storage.lake, 'work/*');
    leases.grant(this.role, 'dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem');
    this.role.addToPolicy(
      new PolicyStatement({
        actions: ['states:SendTaskSuccess', 'states:SendTaskFailure', 'states:SendTaskHeartbeat'],
        resources: ['*'],
      }),
    );
  }
}
