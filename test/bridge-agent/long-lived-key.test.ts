import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { connect } from '#bridge-agent/connections.ts';
import { refuseLongLivedKey } from '#bridge-agent/long-lived-key.ts';
import { ROOT } from '#cli/home.ts';
import { TestSite } from '#test/bridge-agent/site.ts';

describe('the credentials of an agent', () => {
  let folder = '';
  let site: TestSite;
  beforeEach(() => {
    site = TestSite.create();
    folder = mkdtempSync(join(tmpdir(), 'ponte-credentials-'));
    mkdirSync(join(folder, '.aws'));
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(folder, '.aws/credentials'));
    vi.stubEnv('AWS_CONFIG_FILE', join(folder, '.aws/config'));
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE']) vi.stubEnv(name, undefined);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
    site.remove();
  });

  const signIn = (id: string) =>
    writeFileSync(
      join(folder, '.aws/credentials'),
      `[default]\naws_access_key_id = ${id}\naws_secret_access_key = secret\n`,
    );

  it.each([
    ['directly', {}],
    ['to assume a role', { credentials: { roleArn: 'arn:aws:iam::1:role/agent' } }],
  ])('are refused when they are a long-lived key, used %s', async (_what, changed) => {
    signIn('AKIAIOSFODNN7EXAMPLE');

    await expect(connect({ ...site.configuration, ...changed })).rejects.toMatchObject({
      code: 'LONG_LIVED_KEY',
      hint: expect.stringContaining('Roles Anywhere'),
    });
  });

  it('are taken when they end by themselves', async () => {
    signIn('ASIAIOSFODNN7EXAMPLE');

    const parts = await connect({ ...site.configuration, algorithmsFolder: join(ROOT, 'schemas/algorithms') });
    await parts.scheduler.close();
    expect(parts.algorithms).toBeDefined();
  });

  it('that cannot be had are left for the first call to report', async () => {
    const nowhere = () => Promise.reject(new Error('Could not load credentials from any providers'));
    await expect(refuseLongLivedKey(nowhere)).resolves.toBeUndefined();
  });
});
