import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import type { Bucket } from 'aws-cdk-lib/aws-s3';

const below = (bucket: Bucket, prefixes: readonly string[]) => prefixes.map((prefix) => bucket.arnForObjects(prefix));

/** GET and HEAD of objects under the prefixes; no listing, so an object that is not there is "forbidden". */
export function allowGet(grantee: IGrantable, bucket: Bucket, ...prefixes: readonly string[]): void {
  Grant.addToPrincipal({ grantee, actions: ['s3:GetObject'], resourceArns: below(bucket, prefixes) });
}

/** GET and HEAD also of versions that are no longer current. */
export function allowGetVersions(grantee: IGrantable, bucket: Bucket, ...prefixes: readonly string[]): void {
  Grant.addToPrincipal({ grantee, actions: ['s3:GetObjectVersion'], resourceArns: below(bucket, prefixes) });
}

/** As `allowGet`, and listing of the bucket, which is what makes a missing object a "not found". */
export function allowRead(grantee: IGrantable, bucket: Bucket, ...prefixes: readonly string[]): void {
  allowGet(grantee, bucket, ...prefixes);
  Grant.addToPrincipal({ grantee, actions: ['s3:ListBucket'], resourceArns: [bucket.bucketArn] });
}

/** PUT of objects under the prefixes, also in parts; no deletion anywhere. */
export function allowPut(grantee: IGrantable, bucket: Bucket, ...prefixes: readonly string[]): void {
  const actions = ['s3:PutObject', 's3:AbortMultipartUpload'];
  Grant.addToPrincipal({ grantee, actions, resourceArns: below(bucket, prefixes) });
}
