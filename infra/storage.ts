import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { BlockPublicAccess, Bucket, BucketEncryption, type BucketProps, StorageClass } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';

/** The four buckets: what comes in, what is derived, what was refused, what goes out. */
export class Storage extends Construct {
  readonly landing: Bucket;
  readonly lake: Bucket;
  readonly quarantine: Bucket;
  readonly delivery: Bucket;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.landing = this.#bucket('Landing', { eventBridgeEnabled: true });
    this.lake = this.#bucket('Lake');
    this.quarantine = this.#bucket('Quarantine');
    this.delivery = this.#bucket('Delivery');
  }

  #bucket(id: string, props: BucketProps = {}): Bucket {
    return new Bucket(this, id, {
      versioned: true,
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      removalPolicy: RemovalPolicy.RETAIN,
      lifecycleRules: [
        {
          abortIncompleteMultipartUploadAfter: Duration.days(7),
          // A replaced version is kept long enough to undo a mistake, at a third of the price.
          noncurrentVersionTransitions: [
            { storageClass: StorageClass.INFREQUENT_ACCESS, transitionAfter: Duration.days(30) },
          ],
          noncurrentVersionExpiration: Duration.days(180),
        },
      ],
      ...props,
    });
  }
}
