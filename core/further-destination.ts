import { z } from 'zod';

/** Functions may read secrets, and assume roles, of these names only (infra/further-delivery.ts). */
export const SECRET_PREFIX = 'ponte/destinations/';
export const ROLE_PREFIX = 'ponte-delivery-';

const SECRET = new RegExp(`^${SECRET_PREFIX}[A-Za-z0-9_.-]+$`);
const ROLE = new RegExp(`^arn:aws[a-z-]*:iam::\\d{12}:role/${ROLE_PREFIX}[A-Za-z0-9_.-]+$`);

/** By reference only: a registration is read by many, and kept for ever. */
const credentialsSchema = z
  .strictObject({
    /** A secret of Secrets Manager, in the stack's own account and region: `destinationKeysSchema` as JSON. */
    secret: z.string().regex(SECRET, `must be the name of a secret that begins with ${SECRET_PREFIX}`).exactOptional(),
    /** A role of the destination's account, which trusts the stack's. */
    roleArn: z.string().regex(ROLE, `must be the ARN of a role whose name begins with ${ROLE_PREFIX}`).exactOptional(),
  })
  .refine(({ secret, roleArn }) => (secret === undefined) !== (roleArn === undefined), 'name a secret or a role');

/** What the secret holds. */
export const destinationKeysSchema = z.object({ accessKeyId: z.string().min(1), secretAccessKey: z.string().min(1) });

/** A bucket that a campaign brings its table to beside the stack's own: of any service that speaks S3. */
export const furtherDestinationSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,29}$/, 'must be up to 30 lower-case letters, digits and -'),
  bucket: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be the name of a bucket'),
  /** Before every key. */
  prefix: z
    .string()
    .regex(/^([^/]+\/)+$/, 'must end with a slash, and not begin with one')
    .exactOptional(),
  region: z.string().min(1),
  /** For services other than AWS. */
  endpoint: z.url().refine(isSafeEndpoint, 'must be https, without a user or a query').exactOptional(),
  credentials: credentialsSchema,
  /** Of all that goes there together; without limit when left out. */
  mebibytesPerSecond: z.number().positive().exactOptional(),
  /** False where the service keeps none of S3's additional checksums: everything is read again after the copy. */
  checksums: z.boolean().exactOptional(),
});
export type FurtherDestination = z.infer<typeof furtherDestinationSchema>;

export const furtherDestinationsSchema = z
  .array(furtherDestinationSchema)
  .min(1)
  .max(20)
  .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, 'two destinations have one name')
  .refine((all) => new Set(all.map(placeText)).size === all.length, 'two destinations are one place');

/** Where it is, for people. */
export function placeText({ bucket, prefix = '', endpoint }: FurtherDestination): string {
  return `s3://${bucket}/${prefix}${endpoint ? ` at ${endpoint}` : ''}`;
}

/** Plain http is for the machine itself: the local cloud. */
function isSafeEndpoint(endpoint: string): boolean {
  const { protocol, hostname, username, password, search } = new URL(endpoint);
  return (protocol === 'https:' || hostname === '127.0.0.1') && `${username}${password}${search}` === '';
}
