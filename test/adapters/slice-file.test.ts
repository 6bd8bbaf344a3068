import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MemoryObjectStore } from '#adapters/memory-object-store.ts';
import { SliceFile } from '#adapters/slice-file.ts';
import { readSlice } from '#core/object-slice.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ponte-slices-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

async function threeSlices(store: MemoryObjectStore, key: string) {
  const [list, file] = [join(folder, 'list'), new SliceFile(join(folder, key), key)];
  await writeFile(list, 'a list of ids');
  const pixels = await file.addJson({ 7: 3 });
  const ids = await file.addFile(list);
  const summary = await file.addJson({ ids });
  await file.upload(store);
  return { pixels, ids, summary };
}

test('slices lie one behind the other, and each is read alone', async () => {
  const store = new MemoryObjectStore();

  const { pixels, ids, summary } = await threeSlices(store, 'sound');

  expect(text(await readSlice(store, pixels))).toBe('{"7":3}\n');
  expect(text(await readSlice(store, ids))).toBe('a list of ids');
  expect(JSON.parse(text(await readSlice(store, summary)))).toEqual({ ids });
  expect((await store.head('sound'))?.sizeBytes).toBe(summary.offsetBytes + summary.sizeBytes);
});

test('a slice is refused when it is damaged, cut off or not there; its neighbours are not', async () => {
  const store = new MemoryObjectStore();
  const { pixels, ids, summary } = await threeSlices(store, 'damaged');
  const bytes = (await store.getBytes('damaged')) ?? new Uint8Array();
  bytes[ids.offsetBytes] = 0;
  await store.putBytes('damaged', bytes.subarray(0, bytes.length - 1), 'text/plain');
  const refusal = (sentence: RegExp) =>
    expect.objectContaining({ code: 'DIGEST_MISMATCH', message: expect.stringMatching(sentence) });

  await expect(readSlice(store, ids)).rejects.toEqual(refusal(/the 13 bytes from 8 on of damaged are not those/));
  await expect(readSlice(store, summary)).rejects.toEqual(refusal(/are not those referred to/));
  await expect(readSlice(store, { ...pixels, key: 'gone' })).rejects.toEqual(refusal(/of gone are missing/));
  expect(text(await readSlice(store, pixels))).toBe('{"7":3}\n');
});
