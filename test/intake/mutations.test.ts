import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type CaseResult, MutationCampaign } from '#test/intake/mutations.ts';

/** The short form of `npm run chaos -- intake`. */
const CASES = 100;

test(`${CASES} damaged files: each is refused with a code, or means what the sound one means`, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ponte-mutations-'));
  const results: CaseResult[] = [];
  try {
    const campaign = await MutationCampaign.open(folder);
    for (let number = 0; number < CASES; number += 1) results.push(await campaign.run('short', number));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }

  expect(results.filter(({ wrong }) => wrong.length > 0)).toEqual([]);
  // With the publisher's manifest not one of them gets in.
  expect(results.filter(({ known }) => known.startsWith('accepted') && known !== 'accepted, same')).toEqual([]);
  // Without a digest neither, although files are among them that read as sound and mean something else.
  expect(results.filter(({ unknown }) => unknown.startsWith('accepted'))).toEqual([]);
  expect(results.filter(({ vouched }) => vouched === 'accepted, different')).not.toEqual([]);
  expect(new Set(results.map(({ mutation }) => mutation)).size).toBeGreaterThan(15);
}, 120_000);
