import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isFileOf } from '#adapters/file-digest.ts';
import type { ObjectRef } from '#core/job.ts';
import type { ObjectStore } from '#core/ports.ts';

/** Brings an object to a path, with its folders, unless the very content is there already. @throws as `getFile` */
export async function bringFile(store: Pick<ObjectStore, 'getFile'>, ref: ObjectRef, path: string): Promise<void> {
  if (await isFileOf(path, ref)) return;
  await mkdir(dirname(path), { recursive: true });
  await store.getFile(ref.key, path, ref.sha256);
}
