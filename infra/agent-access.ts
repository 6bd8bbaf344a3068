import type { Table } from 'aws-cdk-lib/aws-dynamodb';
import {
  AccountRootPrincipal,
  CompositePrincipal,
  type IPrincipal,
  PolicyStatement,
  Role,
  ServicePrincipal,
} from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { allowPut, allowRead } from '#infra/bucket-access.ts';
import type { Campaign } from '#infra/campaign.ts';
import type { Storage } from '#infra/storage.ts';

export interface AgentAccessProps {
  readonly storage: Storage;
  readonly campaign: Campaign;
  /** Which site works on what: the only table that an agent may touch. */
  readonly leases: Table;
  /** Names of sites that get a role of their own, for the certificate of that name alone. */
  readonly sites: readonly string[];
}

/** A site signs in with its certificate (IAM Roles Anywhere); nothing at a site holds a long-lived key. */
const ROLES_ANYWHERE = 'rolesanywhere.amazonaws.com';

/**
 * All that an agent at a site may do: take jobs, read what they name, put back results, answer tokens. It can read
 * neither the uploads nor the metadata, and it cannot touch what was delivered.
 */
export class AgentAccess extends Construct {
  /** For any certificate of the trust anchors, and for whom the account itself lets assume it. */
  readonly role: Role;
  /** By the site's name. */
  readonly siteRoles: ReadonlyMap<string, Role>;

  constructor(scope: Construct, id: string, props: AgentAccessProps) {
    super(scope, id);
    const anywhere = new ServicePrincipal(ROLES_ANYWHERE);
    this.role = this.#makeRole('Role', 'The bridge agent at a site', anywhere, props, new AccountRootPrincipal());
    this.siteRoles = new Map(
      props.sites.map((site) => {
        // Roles Anywhere makes the subject of the certificate a tag of the session.
        const named = anywhere.withConditions({ StringEquals: { 'aws:PrincipalTag/x509Subject/CN': site } });
        return [site, this.#makeRole(`Role-${site}`, `The bridge agent at ${site}`, named, props)];
      }),
    );
  }

  #makeRole(
    id: string,
    description: string,
    certified: IPrincipal,
    { storage, campaign, leases }: AgentAccessProps,
    ...others: AccountRootPrincipal[]
  ): Role {
    const role = new Role(this, id, { description, assumedBy: new CompositePrincipal(...others, certified) });
    role.assumeRolePolicy?.addStatements(
      new PolicyStatement({ principals: [certified], actions: ['sts:SetSourceIdentity', 'sts:TagSession'] }),
    );
    campaign.jobs.queue.grantConsumeMessages(role);
    // With listing: without it S3 answers "forbidden" for what is not there yet, and the agent asks before it uploads.
    allowRead(role, storage.lake, 'skinny/*', 'training/*', 'ancillary/*', 'work/*', 'campaigns/*/batches/*');
    allowPut(role, storage.lake, 'work/*');
    leases.grant(role, 'dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem');
    role.addToPolicy(
      new PolicyStatement({
        actions: ['states:SendTaskSuccess', 'states:SendTaskFailure', 'states:SendTaskHeartbeat'],
        resources: ['*'],
      }),
    );
    return role;
  }
}
