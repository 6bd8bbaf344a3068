import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ponteApp } from '#infra/ponte-app.ts';
import { PonteStack } from '#infra/ponte-stack.ts';

const ROOT = join(import.meta.dirname, '..', '..');

const statementSchema = z.object({
  Effect: z.string(),
  Action: z.union([z.string(), z.array(z.string())]),
  Resource: z.unknown(),
  Condition: z.unknown().optional(),
});
const policySchema = z.object({
  Properties: z.object({
    PolicyDocument: z.object({ Statement: z.array(statementSchema) }),
    Roles: z.array(z.object({ Ref: z.string() })).optional(),
    Bucket: z.object({ Ref: z.string() }).optional(),
  }),
});
const bucketSchema = z.object({
  Properties: z.object({
    PublicAccessBlockConfiguration: z.record(z.string(), z.boolean()),
    VersioningConfiguration: z.object({ Status: z.string() }),
    BucketEncryption: z.object({ ServerSideEncryptionConfiguration: z.array(z.unknown()).min(1) }),
  }),
});

const trustSchema = z.object({
  Properties: z.object({
    Description: z.string().optional(),
    AssumeRolePolicyDocument: z.object({
      Statement: z.array(
        z.object({
          Action: z.union([z.string(), z.array(z.string())]),
          Principal: z.unknown(),
          Condition: z.unknown().optional(),
        }),
      ),
    }),
  }),
});

const SITES = ['apollo', 'santos-dumont'];

/** An ARN of the template as people write it: references to a resource's ARN by its name, without the hash at its end. */
function readable(arn: unknown): string {
  const text = JSON.stringify(arn).replaceAll(/\{"Fn::GetAtt":\["(\w+?)[0-9A-F]{8}","Arn"\]\}/g, '<$1.Arn>');
  return text.replaceAll(/^\{"Fn::Join":\["",\["?|\]\]\}$|[",]/g, '');
}

describe('the stack', () => {
  let template: Template;

  beforeAll(() => {
    const app = new App({ analyticsReporting: false });
    template = Template.fromStack(new PonteStack(app, 'Ponte', { sites: SITES }));
  }, 120_000);

  const agentRoles = () =>
    Object.keys(template.findResources('AWS::IAM::Role')).filter((id) => id.startsWith('AgentRole'));

  const resources = <T>(type: string, schema: z.ZodType<T>) =>
    Object.entries(template.findResources(type)).map(([id, resource]) => ({ id, ...schema.parse(resource) }));

  it('keeps concurrency for the function that takes uploads, and hands it no more than that', () => {
    const functions = template.findResources('AWS::Lambda::Function', {
      Properties: { ReservedConcurrentExecutions: 5 },
    });
    const [take] = Object.keys(functions);

    expect(Object.keys(functions)).toHaveLength(1);
    template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
      FunctionName: { Ref: take },
      ScalingConfig: { MaximumConcurrency: 5 },
    });
  });

  it('has four buckets and one for their access logs: versioned, encrypted, TLS only, without public access', () => {
    const buckets = resources('AWS::S3::Bucket', bucketSchema);
    const policies = resources('AWS::S3::BucketPolicy', policySchema);

    expect(buckets).toHaveLength(5);
    for (const { id, Properties } of buckets) {
      expect(Object.values(Properties.PublicAccessBlockConfiguration)).toEqual([true, true, true, true]);
      expect(Properties.VersioningConfiguration.Status).toBe('Enabled');
      const statements = policies
        .filter((policy) => policy.Properties.Bucket?.Ref === id)
        .flatMap((policy) => policy.Properties.PolicyDocument.Statement);
      expect(statements).toContainEqual(
        expect.objectContaining({
          Effect: 'Deny',
          Action: 's3:*',
          Condition: { Bool: { 'aws:SecureTransport': 'false' } },
        }),
      );
    }
  });

  /** What the policies of one role say. */
  const statementsOf = (role: string) =>
    resources('AWS::IAM::Policy', policySchema)
      .filter((policy) => policy.Properties.Roles?.some(({ Ref }) => Ref === role))
      .flatMap((policy) => policy.Properties.PolicyDocument.Statement);

  it('lets the agent take jobs, read what they name, put results back and answer, and nothing else', () => {
    const [role = ''] = agentRoles().filter((id) => !SITES.some((site) => id.includes(site)));
    const statements = statementsOf(role);
    const actions = statements.flatMap(({ Action }) => Action).sort();

    expect(actions).toEqual([
      'dynamodb:GetItem',
      'dynamodb:PutItem',
      'dynamodb:UpdateItem',
      's3:AbortMultipartUpload',
      's3:GetObject',
      's3:ListBucket',
      's3:PutObject',
      'sqs:ChangeMessageVisibility',
      'sqs:DeleteMessage',
      'sqs:GetQueueAttributes',
      'sqs:GetQueueUrl',
      'sqs:ReceiveMessage',
      'states:SendTaskFailure',
      'states:SendTaskHeartbeat',
      'states:SendTaskSuccess',
    ]);
    const reached = JSON.stringify(statements.map(({ Resource }) => Resource));
    expect(reached).toContain('StorageLake');
    expect(reached).not.toMatch(/StorageLanding|StorageDelivery|StorageQuarantine|Metadata|IntakeQueue/);
    const writes = statements.filter(({ Action }) => [Action].flat().includes('s3:PutObject'));
    expect(JSON.stringify(writes)).toMatch(/"\/work\/\*"/);
    expect(JSON.stringify(writes)).not.toMatch(/skinny|training|campaigns|catalogues/);
  });

  it('says exactly what of the lake, the queue and the leases an agent reaches', () => {
    const lake = (...prefixes: string[]) => prefixes.map((prefix) => `<StorageLake.Arn>/${prefix}`);
    for (const role of agentRoles()) {
      const reached = statementsOf(role).map(({ Action, Resource }) => [
        [Action].flat()[0],
        [Resource].flat().map(readable).sort(),
      ]);
      expect(reached).toEqual([
        ['sqs:ReceiveMessage', ['<CampaignJobsQueue.Arn>']],
        ['s3:GetObject', lake('ancillary/*', 'campaigns/*/batches/*', 'skinny/*', 'training/*', 'work/*')],
        ['s3:ListBucket', ['<StorageLake.Arn>']],
        ['s3:PutObject', lake('work/*')],
        ['dynamodb:GetItem', ['<Leases.Arn>']],
        ['states:SendTaskSuccess', ['*']],
      ]);
    }
  });

  it('gives each named site a role that only the certificate of its name may take', () => {
    const roles = resources('AWS::IAM::Role', trustSchema);
    for (const site of SITES) {
      const [own] = roles.filter(({ Properties }) => Properties.Description === `The bridge agent at ${site}`);
      const trust = own?.Properties.AssumeRolePolicyDocument.Statement ?? [];
      expect(trust.flatMap(({ Action }) => Action).sort()).toEqual([
        'sts:AssumeRole',
        'sts:SetSourceIdentity',
        'sts:TagSession',
      ]);
      for (const { Principal, Condition } of trust) {
        expect(Principal).toEqual({ Service: 'rolesanywhere.amazonaws.com' });
        expect(Condition).toEqual({ StringEquals: { 'aws:PrincipalTag/x509Subject/CN': site } });
      }
      template.hasOutput(`AgentRoleArn${site.replaceAll('-', '')}`, {});
    }
  });

  it.each(['Apollo', 'apollo,apollo', 'apollo,'])('refuses the sites "%s" with one sentence', (sites) => {
    const app = new App({ analyticsReporting: false, context: { sites } });
    expect(() => ponteApp(app)).toThrow(/^sites are names of lower-case letters, digits and -, each once/);
  });

  it('lets a delivery elsewhere read catalogues, and secrets and roles of that purpose alone', () => {
    const [role = ''] = Object.keys(template.findResources('AWS::IAM::Role')).filter((id) =>
      id.startsWith('FurtherDeliveryDeliverRole'),
    );
    const reached = statementsOf(role)
      .filter(({ Action }) => !/^(dynamodb|logs):/.test([Action].flat()[0] ?? ''))
      .map(({ Action, Resource }) => [Action, readable(Resource)]);

    expect(reached).toEqual([
      ['s3:GetObject', '<StorageLake.Arn>/catalogues/*'],
      ['s3:ListBucket', '<StorageLake.Arn>'],
      ['secretsmanager:GetSecretValue', expect.stringMatching(/:secretsmanager:.*:secret:ponte\/destinations\/\*$/)],
      ['sts:AssumeRole', expect.stringMatching(/:iam::\*:role\/ponte-delivery-\*$/)],
    ]);
  });

  it('gives every function a role of its own', () => {
    const functions = resources('AWS::Lambda::Function', z.object({ Properties: z.object({ Role: z.unknown() }) }));
    const roles = functions.map(({ Properties }) => JSON.stringify(Properties.Role));

    expect(functions.length).toBeGreaterThan(10);
    expect(new Set(roles).size).toBe(functions.length);
  });

  it('says in every alarm what breaks for people, and links to its section of the runbook', () => {
    const runbook = readFileSync(join(ROOT, 'docs', 'runbook.md'), 'utf8');
    const anchors = [...runbook.matchAll(/^## (\w+)$/gm)].map((found) => found[1]?.toLowerCase());
    const alarms = resources(
      'AWS::CloudWatch::Alarm',
      z.object({ Properties: z.object({ AlarmDescription: z.string(), AlarmActions: z.array(z.unknown()).min(1) }) }),
    );

    expect(alarms.length).toBeGreaterThan(4);
    for (const { Properties } of alarms) {
      const [, breaks, anchor] = /^(.{20,}) See docs\/runbook\.md#(\w+)$/.exec(Properties.AlarmDescription) ?? [];
      expect(breaks).toBeDefined();
      expect(anchors).toContain(anchor);
    }
  });
});

describe('the functions on arm64', () => {
  it('need its library of DuckDB, and say how to get it', () => {
    const stack = () => new PonteStack(new App({ analyticsReporting: false }), 'Ponte', { processor: 'arm64' });
    const installed = join(ROOT, '.ponte', 'arm64', 'node_modules', '@duckdb', 'node-bindings-linux-arm64');
    if (process.arch !== 'arm64' && !existsSync(installed)) {
      expect(stack).toThrow(expect.objectContaining({ code: 'LIBRARY_MISSING' }));
      return;
    }
    const functions = Object.values(Template.fromStack(stack()).findResources('AWS::Lambda::Function'));
    expect(new Set(functions.map(({ Properties }) => String(Properties.Architectures)))).toEqual(new Set(['arm64']));
  }, 120_000);
});

describe('the backstop', () => {
  const synthesize = (context: Record<string, unknown>) => {
    const app = new App({ analyticsReporting: false, context: { 'aws:cdk:bundling-stacks': [], ...context } });
    ponteApp(app);
    return app;
  };

  it('is not in the app that the local cloud gets', () => {
    expect(synthesize({}).node.children.map(({ node }) => node.id)).toEqual(['Ponte']);
  }, 120_000);

  it('forbids the roles that start work when the month is used up, and may attach nothing else', () => {
    const app = synthesize({ monthlyUsd: '50', email: 'ops@example.org' });
    const stack = app.node.findChild('PonteBackstop');
    if (!Stack.isStack(stack)) throw new Error('the backstop is a stack');
    const template = Template.fromStack(stack);

    template.hasResourceProperties('AWS::Budgets::Budget', {
      Budget: { BudgetType: 'COST', TimeUnit: 'MONTHLY', BudgetLimit: { Amount: 50, Unit: 'USD' } },
    });
    template.hasResourceProperties('AWS::Budgets::BudgetsAction', {
      ActionType: 'APPLY_IAM_POLICY',
      ApprovalModel: 'AUTOMATIC',
      ActionThreshold: { Type: 'PERCENTAGE', Value: 100 },
    });
    const actions = template.findResources('AWS::Budgets::BudgetsAction');
    const [action] = Object.values(actions);
    expect(action?.Properties.Definition.IamActionDefinition.Roles).toHaveLength(5);
    template.hasResourceProperties('AWS::IAM::ManagedPolicy', {
      PolicyDocument: {
        Statement: [
          Match.objectLike({
            Effect: 'Deny',
            Action: ['states:StartExecution', 'sqs:SendMessage', 'lambda:InvokeFunction'],
          }),
        ],
      },
    });
    template.hasResourceProperties('AWS::IAM::Policy', {
      PolicyDocument: {
        Statement: [
          Match.objectLike({
            Action: ['iam:AttachRolePolicy', 'iam:DetachRolePolicy'],
            Condition: { ArnEquals: { 'iam:PolicyARN': Match.anyValue() } },
          }),
        ],
      },
    });
  }, 120_000);
});
