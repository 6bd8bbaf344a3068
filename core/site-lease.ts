import { z } from 'zod';
import type { Digest } from '#core/digest.ts';
import { nameSchema, type ObjectRef, objectRefSchema } from '#core/job.ts';
import { equals, type Key, ROW_IS_NEW, type Table } from '#core/table.ts';

/**
 * Which site works on a work that several sites may take from one queue.
 *
 * `held` -> `done` with the result document, or `free` when the site gave it up. Another site may take it when it is not
 * held, or when its holder has shown no life for `seconds`; each taking raises `fence`, and whoever writes names the
 * fence that it was given. So of two sites that both believe that they hold it, only the later one's result counts.
 */
export const siteLeaseSchema = z.object({
  site: nameSchema,
  fence: z.int().positive(),
  /** Renewals since it was taken: no clock of another site is compared. */
  beat: z.int().nonnegative(),
  seconds: z.number().positive(),
  state: z.enum(['held', 'done', 'free']),
  result: objectRefSchema.nullable(),
});
export type SiteLease = z.infer<typeof siteLeaseSchema>;

export const siteLeaseKey = (workKey: Digest): Key => ({ pk: `S#${workKey}`, sk: 'LEASE' });

export async function readSiteLease(table: Table, workKey: Digest): Promise<SiteLease | null> {
  const row = await table.get(siteLeaseKey(workKey));
  return row === null ? null : siteLeaseSchema.parse(row);
}

/**
 * Takes a work for a site. Null when another one holds it, or was quicker.
 * @param silent the lease as it was seen all through its `seconds`: it may be taken over if it still is that one.
 */
export async function takeSiteLease(
  table: Table,
  workKey: Digest,
  { site, seconds }: Pick<SiteLease, 'site' | 'seconds'>,
  silent: SiteLease | null,
): Promise<SiteLease | null> {
  const key = siteLeaseKey(workKey);
  const before = await readSiteLease(table, workKey);
  const lease: SiteLease = { site, seconds, fence: (before?.fence ?? 0) + 1, beat: 0, state: 'held', result: null };
  if (before === null) {
    const { written } = await table.write([{ kind: 'put', item: { ...key, ...lease }, when: [ROW_IS_NEW] }]);
    return written ? lease : null;
  }
  const isSilent = silent?.fence === before.fence && silent.beat === before.beat;
  if (before.state === 'held' && before.site !== site && !isSilent) return null;
  const when = [equals('fence', before.fence), equals('beat', before.beat), equals('state', before.state)];
  const { written } = await table.write([{ kind: 'update', key, set: { ...lease }, when }]);
  return written ? lease : null;
}

const stillHeld = (site: string, fence: number) => [
  equals('site', site),
  equals('fence', fence),
  equals('state', 'held'),
];

/** A sign of life. False when the site holds it no more. */
export async function renewSiteLease(table: Table, workKey: Digest, site: string, fence: number): Promise<boolean> {
  const write = { kind: 'update', key: siteLeaseKey(workKey), add: { beat: 1 }, when: stillHeld(site, fence) } as const;
  return (await table.write([write])).written;
}

/** Ends it: with the result that counts from now on, or without one. False when the site holds it no more. */
export async function endSiteLease(
  table: Table,
  workKey: Digest,
  { site, fence }: Pick<SiteLease, 'site' | 'fence'>,
  result: ObjectRef | null,
): Promise<boolean> {
  const set = { state: result === null ? 'free' : 'done', result } as const;
  const write = { kind: 'update', key: siteLeaseKey(workKey), set, when: stillHeld(site, fence) } as const;
  return (await table.write([write])).written;
}
