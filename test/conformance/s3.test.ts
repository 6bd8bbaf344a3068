import { createHash } from 'node:crypto';
import {
  GetBucketTaggingCommand,
  PutBucketNotificationConfigurationCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { CloudUnderTest } from '#test/conformance/cloud-under-test.ts';

let cloud: CloudUnderTest;
beforeAll(async () => {
  cloud = await CloudUnderTest.start();
});
afterAll(() => cloud.remove());

const event = z.object({
  source: z.string(),
  'detail-type': z.string(),
  detail: z.object({
    bucket: z.object({ name: z.string() }),
    object: z.object({ key: z.string(), size: z.number(), 'version-id': z.string(), sequencer: z.string() }),
  }),
});

test('names the version in the event of an upload', async () => {
  const Bucket = await cloud.bucket();
  const queue = await cloud.queue();
  await cloud.s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }));
  await cloud.s3.send(
    new PutBucketNotificationConfigurationCommand({
      Bucket,
      NotificationConfiguration: { EventBridgeConfiguration: {} },
    }),
  );
  await cloud.rule({ source: ['aws.s3'], detail: { bucket: { name: [Bucket] } } }, queue.arn);

  const first = await cloud.s3.send(new PutObjectCommand({ Bucket, Key: 'a/chunk 1.parquet', Body: 'one' }));
  const [firstEvent] = (await cloud.receive(queue.url)).map((body) => event.parse(JSON.parse(body)));
  const second = await cloud.s3.send(new PutObjectCommand({ Bucket, Key: 'a/chunk 1.parquet', Body: 'again' }));
  const [secondEvent] = (await cloud.receive(queue.url)).map((body) => event.parse(JSON.parse(body)));

  expect(firstEvent).toMatchObject({ source: 'aws.s3', 'detail-type': 'Object Created' });
  expect(firstEvent?.detail.object).toMatchObject({ key: 'a/chunk 1.parquet', size: 3, 'version-id': first.VersionId });
  expect(secondEvent?.detail.object).toMatchObject({ size: 5, 'version-id': second.VersionId });
  // As strings: that is how AWS says they compare.
  expect((secondEvent?.detail.object.sequencer ?? '') > (firstEvent?.detail.object.sequencer ?? '')).toBe(true);
});

test('returns the checksum of an upload', async () => {
  const Bucket = await cloud.bucket();
  const ChecksumSHA256 = createHash('sha256').update('rows').digest('base64');

  const answer = await cloud.s3.send(new PutObjectCommand({ Bucket, Key: 'part', Body: 'rows', ChecksumSHA256 }));

  expect(answer).toMatchObject({ ChecksumSHA256, ChecksumType: 'FULL_OBJECT' });
});

test('keeps the tags of a bucket from a template', async () => {
  const Tags = [{ Key: 'project', Value: 'ponte' }];
  const Resources = { Bucket: { Type: 'AWS::S3::Bucket', Properties: { BucketName: 'tagged', Tags } } };
  await cloud.stack({ Resources });

  const answer = await cloud.s3.send(new GetBucketTaggingCommand({ Bucket: 'tagged' }));

  expect(answer.TagSet).toEqual(Tags);
});
