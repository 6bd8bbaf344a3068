import type { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { ResultWriterV2, S3JsonItemReader } from 'aws-cdk-lib/aws-stepfunctions';

// Left to themselves both would let the state machine read and write all of the lake; it gets the prefixes that it
// needs from whoever uses them.

/** The list that a Distributed Map works through, in the lake. Its reader grants nothing. */
export class LakeItems extends S3JsonItemReader {
  override providePolicyStatements(): PolicyStatement[] {
    return [];
  }
}

/** Where a Distributed Map puts its results, in the lake. Its writer grants nothing. */
export class LakeResults extends ResultWriterV2 {
  override providePolicyStatements(): PolicyStatement[] {
    return [];
  }
}
