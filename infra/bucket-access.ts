import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import type { Bucket } from 'aws-cdk-lib/aws-s3';

const below = (bucket: Bucket, prefixes: readonly string[]) => prefixes.map((prefix) => bucket.arnForObjects(prefix));

/** GET and HEAD of objects under the prefixes. */
function allowGet(grantee: IGrantable, bucket: Bucket, ...prefixes: readonly string[]): void {
  Grant.addToPrincipal({ grantee, actions: ['s3:GetObject'], resourceArns: below(bucket, prefixes) });
}

/** GET and HEAD also of versions that are no longer current. */
export function allowGetVersions(grantee: IGrantable, bucket: Bucket, ...prefixes: readonly string[]): void {
  Grant.addToPrincipal({ grantee, actions: ['s3:GetObjectVersion'], resourceArns: below(bucket, prefixes) });
}

/** GET and HEAD of objects under the prefixes, and listing: without it a missing object is "forbidden", not missing. */
export function allowRead(grantee: IGrantable, bucket: Bucket, ...prefixes: readonly string[]): void {
  allowGet(grantee, bucket, ...prefixes);
  Grant.addToPrincipal({ grantee, actions: ['s3:ListBucket'], resourceArns: [bucket.bucketArn] });
}

/** PUT of objects under the prefixes, also in parts; no deletion anywhere. */
export function allowPut(grantee: IGrantable, bucket: Bucket, ...prefixes: readonly string[]): void {
  const actions = ['s3:PutObject', 's3:AbortMultipartUpload'];
  Grant.addToPrincipal({ grantee, actions, resourceArns: below(bucket, prefixes) });
}

/** As `allowPut`, for a service that takes up again the parts that it has put. */
export function allowPutInParts(grantee: IGrantable, bucket: Bucket, ...prefixes: readonly string[]): void {
  allowPut(grantee, bucket, ...prefixes);
  Grant.addToPrincipal({ grantee, actions: ['s3:ListMultipartUploadParts'], resourceArns: below(bucket, prefixes) });
}
