import type { Digest } from '#core/digest.ts';
import type { ObjectRef } from '#core/job.ts';
import type { ByteRange } from '#core/object-slice.ts';

/** Object storage, one bucket per instance. Every adapter passes test/contracts/object-store.ts. */
export interface ObjectStore {
  /**
   * Uploads a local file with its sha256 as checksum; idempotent for equal content.
   * @throws {TransientError} `DIGEST_MISMATCH` when the file is not of this digest; nothing is stored then.
   */
  putFile(key: string, path: string, sha256: Digest): Promise<ObjectRef>;
  /** Uploads bytes, with their sha256 as checksum. */
  putBytes(key: string, bytes: Uint8Array, contentType: string): Promise<ObjectRef>;
  /**
   * One GET into `path`, hashed on the way; of the current version unless one is named.
   * @throws {TransientError} `DIGEST_MISMATCH` when `expected` is given and differs; the file is removed.
   */
  getFile(
    key: string,
    path: string,
    expected?: Digest,
    versionId?: string | null,
  ): Promise<{ readonly sha256: Digest; readonly sizeBytes: number; readonly etag: string }>;
  /** Of the whole object unless a range of it is named, which has at least one byte. Null when there is no such object. */
  getBytes(key: string, range?: ByteRange): Promise<Uint8Array | null>;
  head(key: string, versionId?: string | null): Promise<ObjectHead | null>;
  list(prefix: string): AsyncIterable<{ readonly key: string; readonly sizeBytes: number }>;
}

export interface ObjectHead {
  readonly sizeBytes: number;
  readonly etag: string;
  readonly versionId: string | null;
  /** The full-object sha256 that the uploader declared (checksum or `x-amz-meta-sha256`), unverified. */
  readonly declaredSha256: Digest | null;
  /** The full-object sha256 that the store itself computed; null where its checksum is one of parts, or of another kind. */
  readonly storedSha256: Digest | null;
}

/**
 * Whether an object of ours is the one referred to: by the store's own checksum, and where that is one of parts by the
 * declaration, which `putFile` has checked.
 */
export function holds(head: ObjectHead | null, wanted: Pick<ObjectRef, 'sha256' | 'sizeBytes'>): boolean {
  return head?.sizeBytes === wanted.sizeBytes && (head.storedSha256 ?? head.declaredSha256) === wanted.sha256;
}

/** `endedBadly`: an execution of that name failed, timed out or was stopped. */
export type Started = 'started' | 'alreadyStarted' | 'endedBadly';

/** Starts state machine executions by name; a name that was used before starts nothing. */
export interface Workflow {
  start(name: string, input: unknown): Promise<Started>;
  /** False when it has ended, in whatever way, or never was. */
  isRunning(name: string): Promise<boolean>;
}

/** After this many bad ends of one work someone has to look, rather than ask again. */
const MOST_RETRIES = 20;

/** Starts an execution, or a numbered retry of it where the earlier ones ended badly. */
export async function startOrRetry(
  workflow: Workflow,
  name: string,
  input: (name: string) => unknown,
): Promise<Started> {
  for (let retry = 0; retry <= MOST_RETRIES; retry += 1) {
    const numbered = retry === 0 ? name : `${name}-r${retry}`;
    const started = await workflow.start(numbered, input(numbered));
    if (started !== 'endedBadly') return started;
  }
  return 'endedBadly';
}

/** Answers a task token. False when the execution does not wait for it any more. */
export interface TaskCallback {
  succeed(taskToken: string, output: unknown): Promise<boolean>;
  fail(taskToken: string, error: string, cause: string): Promise<boolean>;
}

export interface MessageQueue {
  send(message: unknown): Promise<void>;
}

export interface Clock {
  now(): Date;
}
