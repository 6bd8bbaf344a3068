import { S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { AssumeRoleCommand, type STSClient } from '@aws-sdk/client-sts';
import { z } from 'zod';
import type { FileSource } from '#adapters/file-source.ts';
import { S3Destination } from '#adapters/s3-destination.ts';
import { Throttle } from '#adapters/throttle.ts';
import { InputError } from '#core/errors.ts';
import { destinationKeysSchema, type FurtherDestination, placeText } from '#core/further-destination.ts';

const MIB = 1024 * 1024;
/** With four files at a time, 8 parts of 16 MiB in memory. */
const PLACE = { partBytes: 16 * MIB, parallelParts: 2 };

export interface DestinationAccess {
  readonly secrets: SecretsManagerClient;
  readonly sts: STSClient;
}

/**
 * Opens a destination of a registration with the credentials that it refers to. They are read anew each time, so they
 * may be changed while a delivery goes on, and last for an hour where they are a role's.
 *
 * @throws {InputError} `CREDENTIALS_MISSING` when the secret is not there, or is not what it should be, or the role
 *   may not be taken.
 */
export async function openDestinationAt(
  place: FurtherDestination,
  access: DestinationAccess,
  source: FileSource,
  signal: AbortSignal,
): Promise<S3Destination> {
  const { name, bucket, prefix = '', region, endpoint, mebibytesPerSecond, checksums = true } = place;
  const client = new S3Client({
    region,
    credentials: await credentialsOf(place, access),
    ...(endpoint ? { endpoint, forcePathStyle: true } : {}),
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  const throttle = new Throttle(mebibytesPerSecond === undefined ? null : mebibytesPerSecond * MIB);
  return new S3Destination(name, client, { ...PLACE, bucket, prefix, checksums, signal }, source, throttle);
}

async function credentialsOf({ name, credentials }: FurtherDestination, { secrets, sts }: DestinationAccess) {
  const { secret: SecretId, roleArn: RoleArn } = credentials;
  if (SecretId !== undefined) {
    const found = await secrets.send(new GetSecretValueCommand({ SecretId })).catch((cause: unknown) => {
      throw unreadable(name, `the secret ${SecretId} cannot be read`, cause);
    });
    return parseKeys(name, SecretId, found.SecretString);
  }
  const assume = new AssumeRoleCommand({ RoleArn, RoleSessionName: `ponte-${name}` });
  const { Credentials } = await sts.send(assume).catch((cause: unknown) => {
    throw unreadable(name, `the role ${RoleArn} cannot be taken`, cause);
  });
  const sessionSchema = z.object({ AccessKeyId: z.string(), SecretAccessKey: z.string(), SessionToken: z.string() });
  const session = sessionSchema.parse(Credentials);
  return {
    accessKeyId: session.AccessKeyId,
    secretAccessKey: session.SecretAccessKey,
    sessionToken: session.SessionToken,
  };
}

/** What stands in a secret never stands in an error. */
function parseKeys(name: string, secret: string, text = '') {
  try {
    return destinationKeysSchema.parse(JSON.parse(text));
  } catch {
    throw missing(name, `the secret ${secret} does not hold accessKeyId and secretAccessKey as JSON`);
  }
}

/** The names of the two services for "there is none" and "not you"; anything else may pass, and is tried again. */
const FINAL = ['ResourceNotFoundException', 'AccessDeniedException', 'AccessDenied'];

function unreadable(name: string, what: string, error: unknown): unknown {
  return error instanceof Error && FINAL.includes(error.name) ? missing(name, `${what} (${error.name})`, error) : error;
}

function missing(name: string, what: string, cause?: unknown): InputError {
  return new InputError(`${what}, so nothing goes to the destination ${name}`, {
    code: 'CREDENTIALS_MISSING',
    hint: 'docs/operator.md says what a destination needs; then ponte redeliver goes on.',
    cause,
  });
}

/** An answer of the destination that trying again does not change, as one sentence of ours; null for any other. */
export function refusalOf(error: unknown, place: FurtherDestination): InputError | null {
  if (!(error instanceof S3ServiceException)) return null;
  const status = error.$metadata.httpStatusCode;
  if (error.name !== 'NoSuchBucket' && status !== 401 && status !== 403) return null;
  const reason =
    error.name === 'NoSuchBucket' ? 'there is no such bucket' : `it refuses these credentials (${error.name})`;
  return new InputError(`the destination ${place.name}, ${placeText(place)}, cannot be used: ${reason}`, {
    code: 'DESTINATION_REFUSED',
    hint: 'docs/operator.md says what a destination has to allow; then ponte redeliver goes on.',
    cause: error,
  });
}
