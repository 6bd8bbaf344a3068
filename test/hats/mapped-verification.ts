import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { filesBelow } from '#adapters/hats-manifest.ts';
import { MemoryObjectStore } from '#adapters/memory-object-store.ts';
import type { Catalogue } from '#core/campaign.ts';
import { type Digest, sha256 } from '#core/digest.ts';
import { MANIFEST } from '#core/hats/layout.ts';
import type { VerifyReport } from '#core/hats/verdict.ts';
import type { ObjectRef } from '#core/job.ts';
import { idRangeOrderSchema, partitionOrderSchema } from '#core/verification-order.ts';
import {
  concludeCatalogue,
  planIdRanges,
  planVerification,
  verifyIdRange,
  verifyPartition,
} from '#functions/verification.ts';

export interface Recorded {
  readonly rows: number;
  /** Of the manifest, as the delivery recorded it; that of the manifest that is there unless given. */
  readonly manifestSha256?: Digest;
}

/** A packed collection in a lake, as a campaign's steps after packing find it. */
export async function inLake(folder: string, { rows, manifestSha256 }: Recorded) {
  const lake = new MemoryObjectStore();
  const prefix = 'catalogues/one';
  for (const path of await filesBelow(folder)) {
    await lake.putBytes(`${prefix}/files/${path}`, await readFile(join(folder, path)), 'application/octet-stream');
  }
  const manifest = await lake.getBytes(`${prefix}/files/${MANIFEST}`);
  const ref: ObjectRef = {
    key: `${prefix}/files/${MANIFEST}`,
    sha256: manifestSha256 ?? sha256(manifest ?? ''),
    sizeBytes: manifest?.length ?? 0,
  };
  const catalogue: Catalogue = { name: 'synthetic', prefix, manifest: ref, rows, partitions: 1 };
  return { lake, catalogue };
}

/** The verification of a campaign, step by step as its state machine does it: all that passes between them is JSON. */
export async function verifyMapped(folder: string, recorded: Recorded): Promise<VerifyReport> {
  const { lake, catalogue } = await inLake(folder, recorded);
  const scratch = await mkdtemp(join(tmpdir(), 'ponte-mapped-'));
  const services = { lake, scratch };
  const listed = async <T>({ key }: ObjectRef, schema: z.ZodType<T>) =>
    z.array(schema).parse(JSON.parse(new TextDecoder().decode((await lake.getBytes(key)) ?? undefined)));
  try {
    const partitions = await planVerification('campaign', catalogue, services);
    // The other way round: no look may need another one.
    for (const order of (await listed(partitions, partitionOrderSchema)).reverse()) {
      await verifyPartition(order, services);
    }
    const idRanges = await planIdRanges('campaign', partitions, services);
    for (const order of await listed(idRanges, idRangeOrderSchema)) await verifyIdRange(order, services);
    return await concludeCatalogue(catalogue, recorded.rows, { partitions, idRanges }, services);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
