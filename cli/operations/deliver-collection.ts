import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { FolderSource } from '#adapters/file-source.ts';
import { FolderDestination } from '#adapters/folder-destination.ts';
import { S3Destination } from '#adapters/s3-destination.ts';
import { Throttle } from '#adapters/throttle.ts';
import { type DeliveryProgress, type Destination, deliverVersion } from '#core/destination.ts';
import { sha256 } from '#core/digest.ts';
import { InputError, PonteError } from '#core/errors.ts';
import { MANIFEST } from '#core/hats/layout.ts';
import { type Manifest, manifestSchema } from '#core/hats/manifest.ts';

const MIB = 1024 * 1024;

const common = {
  name: z.string().regex(/^[a-z0-9-]+$/),
  /** Of all that goes there together; without limit when left out. */
  mebibytesPerSecond: z.number().positive().optional(),
};

const s3Schema = z.strictObject({
  ...common,
  kind: z.literal('s3'),
  bucket: z.string().min(1),
  prefix: z
    .string()
    .regex(/^$|\/$/, 'must end with a slash')
    .default(''),
  /** For services other than AWS. */
  endpoint: z.url().optional(),
  region: z.string().min(1),
  /** A profile of the AWS configuration files, or the variables that hold the keys; the SDK's own search without. */
  profile: z.string().optional(),
  variables: z.strictObject({ accessKeyId: z.string(), secretAccessKey: z.string() }).optional(),
  checksums: z.boolean().default(true),
  partMebibytes: z.int().min(5).max(5120).default(16),
});
const folderSchema = z.strictObject({ ...common, kind: z.literal('folder'), path: z.string().min(1) });
const placeSchema = z.discriminatedUnion('kind', [s3Schema, folderSchema]);
type Place = z.infer<typeof placeSchema>;

/** The file that `--to` names: where a collection goes. No secret is in it. */
export const destinationsSchema = z
  .strictObject({ version: z.literal(1), destinations: z.array(placeSchema).min(1) })
  .refine(
    ({ destinations }) => new Set(destinations.map(({ name }) => name)).size === destinations.length,
    'two destinations have one name',
  );

/** Files at a time, and parts of each at a time: 8 parts of 16 MiB in memory for each destination. */
const PARALLEL_FILES = 4;
const PARALLEL_PARTS = 2;

/** @throws {InputError} `CREDENTIALS_MISSING` when a variable that it names is not set. */
export function openDestination(place: Place, source: string): Destination {
  const { mebibytesPerSecond } = place;
  const throttle = new Throttle(mebibytesPerSecond === undefined ? null : mebibytesPerSecond * MIB);
  if (place.kind === 'folder') return new FolderDestination(place.name, place.path, source, throttle);
  const { endpoint, region, profile, variables, checksums, bucket, prefix } = place;
  const client = new S3Client({
    region,
    ...(endpoint ? { endpoint, forcePathStyle: true } : {}),
    ...(profile ? { profile } : {}),
    ...(variables
      ? {
          credentials: {
            accessKeyId: variable(place.name, variables.accessKeyId),
            secretAccessKey: variable(place.name, variables.secretAccessKey),
          },
        }
      : {}),
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  const partBytes = place.partMebibytes * MIB;
  const at = { bucket, prefix, checksums, partBytes, parallelParts: PARALLEL_PARTS };
  return new S3Destination(place.name, client, at, new FolderSource(source), throttle);
}

function variable(destination: string, name: string): string {
  const value = process.env[name];
  if (value) return value;
  throw new InputError(`the variable ${name}, with a key of the destination ${destination}, is not set`, {
    code: 'CREDENTIALS_MISSING',
    hint: 'Set it, or name a profile of the AWS configuration files instead.',
  });
}

export interface DestinationOutcome {
  readonly destination: string;
  /** What is public there now; null where the delivery failed, and what was public before still is. */
  readonly published: string | null;
  readonly error: { readonly code: string; readonly message: string; readonly hint: string } | null;
}

/**
 * Delivers a collection's folder to all destinations at once. One that fails does not hold back the others; the same
 * call again goes on where each of them was.
 *
 * @throws {InputError} `MANIFEST_UNREADABLE` when the folder is no collection.
 */
export async function deliverCollection(
  folder: string,
  places: readonly Place[],
  options: {
    readonly now: Date;
    readonly onProgress?: (destination: string, at: DeliveryProgress) => void;
  },
): Promise<readonly DestinationOutcome[]> {
  const { manifest, bytes } = await readManifest(folder);
  const { release = '', campaign = '' } = manifest.about;
  const facts = {
    manifest,
    manifestFile: { path: MANIFEST, sha256: sha256(bytes), sizeBytes: bytes.length },
    release,
    campaign,
    publishedAt: options.now.toISOString(),
  };
  return await Promise.all(
    places.map(async (place) => {
      try {
        const { prefix } = await deliverVersion(openDestination(place, folder), facts, {
          parallel: PARALLEL_FILES,
          onProgress: (at) => options.onProgress?.(place.name, at),
        });
        return { destination: place.name, published: prefix, error: null };
      } catch (error) {
        return { destination: place.name, published: null, error: describe(error) };
      }
    }),
  );
}

function describe(error: unknown): NonNullable<DestinationOutcome['error']> {
  if (error instanceof PonteError) return { code: error.code, message: error.message, hint: error.hint };
  const message = error instanceof Error ? error.message || error.name : String(error);
  const hint = 'Is it reachable, and may these credentials write there? Deliver again: it goes on where it was.';
  return { code: 'DESTINATION_FAILED', message, hint };
}

async function readManifest(folder: string): Promise<{ readonly manifest: Manifest; readonly bytes: Buffer }> {
  try {
    const bytes = await readFile(join(folder, MANIFEST));
    return { bytes, manifest: manifestSchema.parse(JSON.parse(bytes.toString('utf8'))) };
  } catch (cause) {
    throw new InputError(`${join(folder, MANIFEST)} is not there, or is no manifest`, {
      code: 'MANIFEST_UNREADABLE',
      hint: 'Give the folder that ponte fetch made.',
      cause,
    });
  }
}
