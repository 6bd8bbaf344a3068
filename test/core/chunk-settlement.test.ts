import { beforeEach, expect, it } from 'vitest';
import { MemoryTable } from '#adapters/memory-table.ts';
import type { ChunkRow } from '#core/chunk.ts';
import { chunkKey, chunkRowSchema } from '#core/chunk.ts';
import { claimChunk, moveChunk, readPointer } from '#core/chunk-book.ts';
import { type Settlement, settleChunk } from '#core/chunk-settlement.ts';
import { sha256 } from '#core/digest.ts';
import { registerSample } from '#test/core/sample-release.ts';

// The moments that random interleavings (intake-interleavings.test.ts) meet too rarely.

const SUMMARY = { key: 'chunks/x.look', sha256: sha256('summary'), sizeBytes: 1, offsetBytes: 0 };
const SKINNY: Settlement = {
  outcome: 'skinny',
  rows: 7,
  recipeDigest: sha256('recipe'),
  parts: [],
  findings: [{ code: 'BAND_EMPTY', sentence: 'u is empty', severity: 'flag' }],
  summary: SUMMARY,
};
const REFUSED: Settlement = { outcome: 'quarantined', findings: [{ code: 'NOT_PARQUET', sentence: 'it is cut off' }] };
const NOW = new Date('2026-01-01T00:00:00Z');

let table: MemoryTable;
beforeEach(async () => {
  table = new MemoryTable();
  await registerSample(table);
});

const claim = (content: string, execution: string, takesOverFrom: string | null = null, digestKnown = true) =>
  claimChunk(table, {
    release: 'dp0',
    name: 'x',
    sha256: sha256(content),
    sizeBytes: 1,
    etag: content,
    execution,
    takesOverFrom,
    digestKnown,
    now: NOW,
  });

async function derive(content: string, execution: string): Promise<ChunkRow> {
  const claimed = await claim(content, execution);
  if (claimed.kind !== 'claimed') throw new Error(`expected a claim, not ${claimed.kind}`);
  const accepted = await moveChunk(table, claimed.chunk, 'accept');
  const deriving = accepted && (await moveChunk(table, accepted, 'derive'));
  if (!deriving) throw new Error('expected to derive');
  return deriving;
}

/** @param seen the etags under the key, one look after the other; the last one stays */
function settle(chunk: ChunkRow, settlement: Settlement, ...seen: (string | null)[]) {
  const currentEtag = async () => (seen.length > 1 ? seen.shift() : seen[0]) ?? null;
  return settleChunk(table, { chunk, settlement, seconds: 1, now: NOW, currentEtag });
}

async function stateOf(chunk: ChunkRow) {
  return chunkRowSchema.parse(await table.get(chunkKey(chunk.release, chunk.chunkId))).state;
}

it('records a chunk and makes it the current one', async () => {
  const a = await derive('a', 'E1');

  expect(await settle(a, SKINNY, 'a')).toEqual({ kind: 'recorded', lookAgain: false });

  expect(await stateOf(a)).toBe('skinny');
  expect(await readPointer(table, 'dp0', 'x')).toMatchObject({ chunkId: a.chunkId, outcome: 'skinny' });
});

it('records a chunk whose object was removed meanwhile', async () => {
  const a = await derive('a', 'E1');

  expect(await settle(a, SKINNY, null)).toEqual({ kind: 'recorded', lookAgain: false });
});

it('asks for another look when something is uploaded between its look and its write', async () => {
  const a = await derive('a', 'E1');
  await settle(a, SKINNY, 'a');
  const b = await derive('b', 'E2');

  const settled = await settle(b, SKINNY, 'b', 'a');

  expect(settled).toEqual({ kind: 'recorded', lookAgain: true });
  // The one that lies there is superseded now: without another look it would stay so.
  expect([await stateOf(a), await stateOf(b)]).toEqual(['superseded', 'skinny']);
});

it('asks for another look whenever it gives way, because the newer upload may be the same content', async () => {
  const a = await derive('a', 'E1');

  expect(await settle(a, SKINNY, 'a in parts')).toEqual({ kind: 'superseded', lookAgain: true });
});

it('asks again when it is repeated after it died between its write and its request', async () => {
  const a = await derive('a', 'E1');
  const b = await derive('b', 'E2');
  await settle(a, SKINNY, 'a');
  await settle(b, SKINNY, 'a');

  expect(await settle(a, SKINNY, 'b')).toEqual({ kind: 'alreadySettled', lookAgain: true });
  expect(await settle(a, SKINNY, 'a')).toEqual({ kind: 'alreadySettled', lookAgain: false });
  expect(await settle(b, SKINNY, 'b')).toEqual({ kind: 'alreadySettled', lookAgain: true });
});

it('leaves the chunk to the execution that took it over', async () => {
  const a = await derive('a', 'E1');
  await claim('a', 'E2', 'E1');

  expect(await settle(a, SKINNY, 'a')).toEqual({ kind: 'takenOver', lookAgain: false });
  expect(await settle(a, SKINNY, 'b')).toEqual({ kind: 'takenOver', lookAgain: false });

  expect(await stateOf(a)).toBe('checking');
  expect(await readPointer(table, 'dp0', 'x')).toBeNull();
});

it('keeps the good chunk when a bad one comes under its name', async () => {
  const a = await derive('a', 'E1');
  await settle(a, SKINNY, 'a');
  const bad = await derive('bad', 'E2');

  await settle(bad, REFUSED, 'bad');

  expect([await stateOf(a), await stateOf(bad)]).toEqual(['skinny', 'quarantined']);
  expect(await readPointer(table, 'dp0', 'x')).toMatchObject({ chunkId: a.chunkId });
});

it('settles the retry of an inspection that another attempt has overtaken', async () => {
  const first = await claim('a', 'E1');
  const second = await claim('a', 'E1');

  expect([first.kind, second.kind]).toEqual(['claimed', 'claimed']);
  expect(await claim('a', 'E2')).toEqual({ kind: 'held', by: 'E1' });
  expect(await claim('a', 'E3', 'E2')).toEqual({ kind: 'held', by: 'E1' });
});

it('does not do settled content again, and does revive superseded content', async () => {
  const a = await derive('a', 'E1');
  await settle(a, SKINNY, 'a');
  const b = await derive('b', 'E2');

  expect(await claim('a', 'E3')).toMatchObject({ kind: 'settled' });
  await settle(b, SKINNY, 'b');
  expect(await claim('a', 'E4')).toMatchObject({ kind: 'claimed', chunk: { revivals: 1, execution: 'E4' } });
});

const UNVERIFIED: Settlement = { outcome: 'quarantined', findings: [{ code: 'UNVERIFIED', sentence: 'no digest' }] };

it('looks anew at what was refused for want of a digest, once one is known', async () => {
  const chunk = await derive('A', 'first');
  expect(await settle(chunk, UNVERIFIED, 'A')).toEqual({ kind: 'recorded', lookAgain: true });

  expect(await claim('A', 'second', null, false)).toMatchObject({ kind: 'settled' });
  expect(await claim('A', 'third', null, true)).toMatchObject({ kind: 'claimed', chunk: { state: 'checking' } });
});

it('settles under a name whose chunk was found out of date while it was looked at anew', async () => {
  await settle(await derive('A', 'first'), UNVERIFIED, 'A');
  const again = await derive('A', 'second');
  expect(await settle(again, SKINNY, 'B')).toMatchObject({ kind: 'superseded' });

  const newer = await derive('B', 'third');
  expect(await settle(newer, SKINNY, 'B')).toMatchObject({ kind: 'recorded' });
  expect([await stateOf(again), await stateOf(newer)]).toEqual(['superseded', 'skinny']);
});
