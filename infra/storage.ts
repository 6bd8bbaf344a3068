import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  CfnBucket,
  type LifecycleRule,
  StorageClass,
} from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';

/** The four buckets: what comes in, what is derived, what was refused, what goes out. And who touched them. */
export class Storage extends Construct {
  readonly landing: Bucket;
  readonly lake: Bucket;
  readonly quarantine: Bucket;
  readonly delivery: Bucket;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.landing = this.#bucket('Landing');
    this.lake = this.#bucket('Lake');
    this.quarantine = this.#bucket('Quarantine');
    this.delivery = this.#bucket('Delivery');
    // By the resource's own property: the construct's `eventBridgeEnabled` would add a function of the CDK's, with a
    // role that may change the notifications of every bucket.
    resourceOf(this.landing).notificationConfiguration = { eventBridgeConfiguration: { eventBridgeEnabled: true } };
    const accessLogs = this.#bucket('AccessLogs', { expiration: Duration.days(90) });
    for (const bucket of [this.landing, this.lake, this.quarantine, this.delivery]) logAccess(bucket, accessLogs);
  }

  #bucket(id: string, ...rules: readonly LifecycleRule[]): Bucket {
    return new Bucket(this, id, {
      versioned: true,
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      removalPolicy: RemovalPolicy.RETAIN,
      lifecycleRules: [TIDY_UP, ...rules],
    });
  }
}

const TIDY_UP: LifecycleRule = {
  abortIncompleteMultipartUploadAfter: Duration.days(7),
  // A replaced version is kept long enough to undo a mistake, at a third of the price.
  noncurrentVersionTransitions: [{ storageClass: StorageClass.INFREQUENT_ACCESS, transitionAfter: Duration.days(30) }],
  noncurrentVersionExpiration: Duration.days(180),
};

/** Has S3 write who asked for what in a bucket. */
function logAccess(bucket: Bucket, accessLogs: Bucket): void {
  const prefix = `${bucket.node.id.toLowerCase()}/`;
  resourceOf(bucket).loggingConfiguration = { destinationBucketName: accessLogs.bucketName, logFilePrefix: prefix };
  accessLogs.addToResourcePolicy(
    new PolicyStatement({
      principals: [new ServicePrincipal('logging.s3.amazonaws.com')],
      actions: ['s3:PutObject'],
      resources: [accessLogs.arnForObjects(`${prefix}*`)],
      conditions: { ArnLike: { 'aws:SourceArn': bucket.bucketArn } },
    }),
  );
}

/** What the construct has no property for. */
function resourceOf({ node }: Bucket): CfnBucket {
  if (node.defaultChild instanceof CfnBucket) return node.defaultChild;
  throw new TypeError('a bucket of the CDK wraps a CfnBucket');
}
