import { GetObjectCommand, PutBucketPolicyCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ACCOUNT, REGION } from '#local/cloud.ts';
import { CloudUnderTest } from '#test/conformance/cloud-under-test.ts';
import { invoking, single } from '#test/conformance/machines.ts';
import { refusal } from '#test/conformance/refusal.ts';

let cloud: CloudUnderTest;
let lake: string;
let landing: string;
let queue: { readonly url: string; readonly arn: string };
let closed: { readonly url: string; readonly arn: string };
let reader: string;

beforeAll(async () => {
  cloud = await CloudUnderTest.start();
  [lake, landing, queue] = await Promise.all([cloud.bucket(), cloud.bucket(), cloud.queue()]);
  closed = await cloud.queue({ Policy: JSON.stringify(TLS_ONLY_QUEUE) });
  for (const Bucket of [lake, landing]) {
    await cloud.s3.send(new PutObjectCommand({ Bucket, Key: 'skinny/part', Body: 'rows' }));
    await cloud.s3.send(new PutBucketPolicyCommand({ Bucket, Policy: JSON.stringify(tlsOnly(Bucket)) }));
  }
  const Statement = [{ Effect: 'Allow', Action: 's3:GetObject', Resource: `arn:aws:s3:::${lake}/skinny/*` }];
  const trust = (Principal: object) => ({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal, Action: 'sts:AssumeRole' }],
  });
  const role = (RoleName: string, principal: object) => ({
    Type: 'AWS::IAM::Role',
    Properties: {
      RoleName,
      AssumeRolePolicyDocument: trust(principal),
      Policies: [{ PolicyName: 'read', PolicyDocument: { Version: '2012-10-17', Statement } }],
    },
  });
  await cloud.stack({
    Resources: {
      Agent: role('agent', { AWS: `arn:aws:iam::${ACCOUNT}:root` }),
      Function: role('function', { Service: 'lambda.amazonaws.com' }),
    },
  });
  reader = await cloud.lambda(
    `const { S3Client, GetObjectCommand } = require('@aws-sdk/client-s3');
    exports.handler = async ({ Bucket }) => {
      try {
        const { Body } = await new S3Client({ forcePathStyle: true }).send(new GetObjectCommand({ Bucket, Key: 'skinny/part' }));
        return await Body.transformToString();
      } catch (error) { return error.name; }
    };`,
    { Role: `arn:aws:iam::${ACCOUNT}:role/function` },
  );
  cloud.role = `arn:aws:iam::${ACCOUNT}:role/agent`;
  await cloud.restart({ enforceIam: true });
});
afterAll(() => cloud.remove());

/** What the CDK's `enforceSSL` writes. */
function tlsOnly(bucket: string): object {
  const Statement = {
    Effect: 'Deny',
    Principal: { AWS: '*' },
    Action: 's3:*',
    Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
    Condition: { Bool: { 'aws:SecureTransport': 'false' } },
  };
  return { Version: '2012-10-17', Statement: [Statement] };
}

const TLS_ONLY_QUEUE = {
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Deny',
      Principal: { AWS: '*' },
      Action: 'sqs:*',
      Resource: '*',
      Condition: { Bool: { 'aws:SecureTransport': 'false' } },
    },
  ],
};

async function asAgent() {
  const endpoint = { endpoint: cloud.handle.url, region: REGION };
  const operator = new STSClient({ ...endpoint, credentials: { accessKeyId: 'test', secretAccessKey: 'test' } });
  const RoleArn = `arn:aws:iam::${ACCOUNT}:role/agent`;
  const { Credentials } = await operator.send(new AssumeRoleCommand({ RoleArn, RoleSessionName: 'site' }));
  const credentials = {
    accessKeyId: Credentials?.AccessKeyId ?? '',
    secretAccessKey: Credentials?.SecretAccessKey ?? '',
    sessionToken: Credentials?.SessionToken ?? '',
  };
  return {
    s3: new S3Client({ ...endpoint, credentials, forcePathStyle: true }),
    sqs: new SQSClient({ ...endpoint, credentials }),
  };
}

const Key = 'skinny/part';

test('lets a role do what its policy says, and nothing else', async () => {
  const { s3, sqs } = await asAgent();

  const answers = await Promise.all(
    [
      s3.send(new GetObjectCommand({ Bucket: lake, Key })),
      s3.send(new GetObjectCommand({ Bucket: lake, Key: 'other/part' })),
      s3.send(new GetObjectCommand({ Bucket: landing, Key })),
      s3.send(new PutObjectCommand({ Bucket: lake, Key, Body: 'mine' })),
      sqs.send(new SendMessageCommand({ QueueUrl: queue.url, MessageBody: 'mine' })),
    ].map(refusal),
  );

  expect(answers).toEqual(['accepted', ...Array(4).fill(expect.stringMatching(/^AccessDenied/))]);
});

test('refuses a request without a signature', async () => {
  expect((await fetch(`${cloud.handle.url}/${lake}/${Key}`)).status).toBe(403);
});

test('gives a function the rights of its role', async () => {
  expect(await cloud.run(single(invoking(reader)), { Bucket: lake })).toMatchObject({ output: 'rows' });
  expect(await cloud.run(single(invoking(reader)), { Bucket: landing })).toMatchObject({ output: 'AccessDenied' });
});

test('keeps the session of a role over a kill', async () => {
  const { s3 } = await asAgent();
  await s3.send(new GetObjectCommand({ Bucket: lake, Key }));
  await cloud.snapshot();

  await cloud.kill();

  const answers = [lake, landing].map((Bucket) => refusal(s3.send(new GetObjectCommand({ Bucket, Key }))));
  expect(await Promise.all(answers)).toEqual(['accepted', 'AccessDenied']);
});

test('lets an execution that goes on after a kill use a TLS-only queue', async () => {
  const States = {
    Later: { Type: 'Wait', Seconds: 3, Next: 'Send' },
    Send: {
      Type: 'Task',
      Resource: 'arn:aws:states:::sqs:sendMessage',
      Parameters: { QueueUrl: closed.url, MessageBody: 'from the resumed execution' },
      End: true,
    },
  };
  const arn = await cloud.start({ StartAt: 'Later', States });
  await cloud.snapshot();

  await cloud.kill();

  expect(await cloud.ended(arn)).toMatchObject({ status: 'SUCCEEDED' });
  expect(await cloud.receive(closed.url)).toEqual(['from the resumed execution']);
});
