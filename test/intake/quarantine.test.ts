import { expect, test } from 'vitest';
import { MemoryTable } from '#adapters/memory-table.ts';
import { decideOn, viewQuarantine } from '#cli/operations/quarantine.ts';
import { type ChunkRow, chunkId, chunkKey, chunkRowSchema } from '#core/chunk.ts';
import { sha256 } from '#core/digest.ts';
import type { Finding } from '#core/integrity.ts';
import { readWaivedCodes } from '#core/quarantine-book.ts';
import { chunkObjectKey } from '#core/release.ts';

const RELEASE = 'dp1';
const WHO = 'arn:aws:iam::000000000000:user/ana';
const relation: Finding = { code: 'ERROR_RELATION', sentence: 'errors do not grow', where: 'i' };
const missing: Finding = { code: 'COLUMN_MISSING', sentence: 'no ebv' };

/** A release with some chunks in the table, and what is asked of the intake. */
async function prepare(
  ...chunks: readonly { name: string; findings: readonly Finding[]; state?: ChunkRow['state'] }[]
) {
  const table = new MemoryTable();
  const asked: unknown[] = [];
  const under = new Map<string, string>();
  const ids: Record<string, ChunkRow['chunkId']> = {};
  for (const { name, findings, state = 'quarantined' } of chunks) {
    const digest = sha256(name);
    const id = chunkId(RELEASE, name, digest);
    ids[name] = id;
    under.set(chunkObjectKey(RELEASE, name), `etag-${name}`);
    const row = {
      ...{ chunkId: id, release: RELEASE, name, sha256: digest, sizeBytes: 1, etag: `etag-${name}`, state },
      ...{ execution: 'one', claimedAt: '2026-01-01T00:00:00Z', settledAt: null, rows: null, parts: null },
      ...{ recipeDigest: null, findings: findings.map((finding) => ({ ...finding })), revivals: 0, seconds: null },
    };
    await table.write([{ kind: 'put', item: { ...chunkKey(RELEASE, id), ...row } }]);
  }
  const cloud = {
    table,
    landing: {
      head: async (key: string) => {
        const etag = under.get(key);
        return etag ? { etag, sizeBytes: 1, versionId: null, declaredSha256: null } : null;
      },
    },
    intake: { send: async (message: unknown) => void asked.push(message) },
    identity: async () => WHO,
  };
  const row = async (name: string) => {
    const id = ids[name];
    return id ? chunkRowSchema.parse(await table.get(chunkKey(RELEASE, id))) : null;
  };
  const waived = async (name: string) => readWaivedCodes(table, RELEASE, ids[name] ?? sha256(''));
  return { cloud, asked, under, row, waived };
}

test('a retry sends the chunk back to the intake, and keeps who and why', async () => {
  const { cloud, asked, row, waived } = await prepare({ name: 'a.parquet', findings: [missing] });

  const audit = await decideOn(cloud, { release: RELEASE, chunk: 'a.parquet', action: 'retry', why: 'mended' });

  expect(audit).toMatchObject({ action: 'retry', who: WHO, why: 'mended', codes: ['COLUMN_MISSING'] });
  expect(await row('a.parquet')).toMatchObject({ state: 'received', decision: { action: 'retry', who: WHO } });
  expect(await waived('a.parquet')).toEqual([]);
  expect(asked).toEqual([
    { version: 1, kind: 'chunk', release: RELEASE, name: 'a.parquet', after: `retry ${audit.at}` },
  ]);
  expect((await viewQuarantine(cloud, RELEASE, { all: true })).audit).toEqual([audit]);
});

test('a retry whose request was lost can be asked again', async () => {
  const { cloud, asked } = await prepare({ name: 'a.parquet', findings: [], state: 'received' });

  await decideOn(cloud, { release: RELEASE, chunk: 'a.parquet', action: 'retry', why: 'again' });

  expect(asked).toHaveLength(1);
});

test('a release waives the checks of values that refused the chunk', async () => {
  const { cloud, asked, row, waived } = await prepare({ name: 'a.parquet', findings: [relation] });

  await decideOn(cloud, { release: RELEASE, chunk: 'a.parquet', action: 'release', why: 'a globular cluster' });

  expect(await waived('a.parquet')).toEqual(['ERROR_RELATION']);
  expect(await row('a.parquet')).toMatchObject({ state: 'received' });
  expect(asked).toHaveLength(1);
});

test('what the derivation needs cannot be waived', async () => {
  const { cloud, asked, row } = await prepare({ name: 'a.parquet', findings: [relation, missing] });

  const decision = decideOn(cloud, { release: RELEASE, chunk: 'a.parquet', action: 'release', why: 'please' });

  await expect(decision).rejects.toMatchObject({
    code: 'QUARANTINE_REFUSED',
    message: expect.stringContaining('COLUMN_MISSING cannot be waived'),
  });
  expect(await row('a.parquet')).toMatchObject({ state: 'quarantined' });
  expect(asked).toEqual([]);
  expect((await viewQuarantine(cloud, RELEASE, { all: true })).audit).toEqual([]);
});

test('a discarded chunk stays in quarantine, off the list', async () => {
  const { cloud, asked, row } = await prepare(
    { name: 'a.parquet', findings: [missing] },
    { name: 'b.parquet', findings: [missing] },
  );

  await decideOn(cloud, { release: RELEASE, chunk: 'a.parquet', action: 'discard', why: 'outside the survey' });

  expect(await row('a.parquet')).toMatchObject({ state: 'quarantined', decision: { action: 'discard' } });
  expect(asked).toEqual([]);
  const names = async (all: boolean) => (await viewQuarantine(cloud, RELEASE, { all })).chunks.map(({ name }) => name);
  expect(await names(false)).toEqual(['b.parquet']);
  expect(await names(true)).toEqual(['a.parquet', 'b.parquet']);
});

test.each([
  ['unknown.parquet', 'retry', 'why', 'no chunk in the quarantine of dp1 answers to unknown.parquet'],
  ['good.parquet', 'discard', 'why', 'no chunk in the quarantine of dp1 answers to good.parquet'],
  ['bad.parquet', 'retry', ' ', 'a decision needs a reason'],
  ['gone.parquet', 'retry', 'why', 'no file lies any more under the name gone.parquet'],
  ['other.parquet', 'release', 'why', 'another file lies under the name other.parquet'],
] as const)('%s: %s is refused', async (chunk, action, why, message) => {
  const { cloud, asked, under } = await prepare(
    { name: 'good.parquet', findings: [], state: 'skinny' },
    ...['bad.parquet', 'gone.parquet', 'other.parquet'].map((name) => ({ name, findings: [relation] })),
  );
  under.delete(chunkObjectKey(RELEASE, 'gone.parquet'));
  under.set(chunkObjectKey(RELEASE, 'other.parquet'), 'another');

  await expect(decideOn(cloud, { release: RELEASE, chunk, action, why })).rejects.toMatchObject({ message });

  expect(asked).toEqual([]);
});
