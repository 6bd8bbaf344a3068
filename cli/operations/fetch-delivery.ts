import { mkdir, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { bringFile } from '#adapters/bring-file.ts';
import type { Cloud } from '#cli/context.ts';
import { deliveryKey, deliveryRowSchema } from '#core/delivery.ts';
import { InputError } from '#core/errors.ts';
import { MANIFEST } from '#core/hats/layout.ts';
import { manifestSchema } from '#core/hats/manifest.ts';

export interface Fetched {
  /** The collection's folder, as `lsdb.open_catalog` takes it. */
  readonly folder: string;
  readonly files: number;
  readonly sizeBytes: number;
}

/**
 * Brings a delivery to a local folder, each file checked against the manifest, and the manifest against the record.
 * Interrupted, it goes on where it was; the manifest appears last, so a folder with one is whole.
 */
export async function fetchDelivery(
  cloud: Cloud,
  delivery: string,
  target: string,
  onFile: (done: number, total: number) => void = () => {},
): Promise<Fetched> {
  const found = await cloud.table.get(deliveryKey(delivery));
  if (!found) {
    throw new InputError(`there is no delivery ${delivery}`, {
      code: 'DELIVERY_UNKNOWN',
      hint: '`ponte deliveries` lists them.',
    });
  }
  const row = deliveryRowSchema.parse(found);
  if (row.withdrawn !== null) {
    throw new InputError(`the delivery ${delivery} was withdrawn: ${row.withdrawn.because}`, {
      code: 'DELIVERY_WITHDRAWN',
      hint: '`ponte deliveries` lists what stands.',
    });
  }
  const folder = resolve(target);
  await mkdir(folder, { recursive: true });
  const partial = join(folder, `${MANIFEST}.partial`);
  await cloud.delivery.getFile(row.manifest.key, partial, row.manifest.sha256);
  const bytes = await cloud.delivery.getBytes(row.manifest.key);
  const { files } = manifestSchema.parse(JSON.parse(new TextDecoder().decode(bytes ?? undefined)));
  let done = 0;
  for (const file of files) {
    await bringFile(cloud.delivery, { ...file, key: `${row.prefix}/${file.path}` }, join(folder, file.path));
    done += 1;
    onFile(done, files.length);
  }
  await rm(join(folder, MANIFEST), { force: true });
  await rename(partial, join(folder, MANIFEST));
  return { folder, files: files.length + 1, sizeBytes: row.sizeBytes };
}
