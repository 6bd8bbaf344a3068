import { InputError } from '#core/errors.ts';

/**
 * How the id of a key begins that an IAM user holds until someone deletes it; temporary ones begin with ASIA
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html).
 */
const LONG_LIVED = 'AKIA';

/**
 * Looks at the credentials with which the agent signs in.
 * @param resolve as an SDK client's `config.credentials`; one that fails is left for the first call to report
 * @throws {InputError} `LONG_LIVED_KEY` when they do not end by themselves.
 */
export async function refuseLongLivedKey(resolve: () => Promise<{ readonly accessKeyId: string }>): Promise<void> {
  const found = await resolve().catch(() => null);
  if (found === null || !found.accessKeyId.startsWith(LONG_LIVED)) return;
  throw new InputError(`the credentials of this user are a long-lived key (${LONG_LIVED}...)`, {
    code: 'LONG_LIVED_KEY',
    hint: 'Delete that key, and sign in with a certificate through IAM Roles Anywhere (docs/site.md, "Credentials").',
  });
}
