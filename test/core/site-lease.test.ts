import { describe, expect, it } from 'vitest';
import { MemoryTable } from '#adapters/memory-table.ts';
import { sha256 } from '#core/digest.ts';
import { endSiteLease, readSiteLease, renewSiteLease, takeSiteLease } from '#core/site-lease.ts';

const WORK = sha256('a work');
const APOLLO = { site: 'apollo', seconds: 60 };
const SANTOS = { site: 'santos-dumont', seconds: 60 };
const RESULT = { key: 'work/result-1.json', sha256: sha256('a result'), sizeBytes: 8 };

describe('the lease of a work between sites', () => {
  it('is one site’s at a time', async () => {
    const table = new MemoryTable();
    const taken = await Promise.all([APOLLO, SANTOS].map((who) => takeSiteLease(table, WORK, who, null)));
    expect(taken.filter((lease) => lease !== null)).toHaveLength(1);
    expect(await takeSiteLease(table, WORK, SANTOS, null)).toBeNull();
  });

  it('is not taken over from a holder that has shown life since it was seen', async () => {
    const table = new MemoryTable();
    const held = await takeSiteLease(table, WORK, APOLLO, null);
    expect(await renewSiteLease(table, WORK, 'apollo', 1)).toBe(true);
    expect(await takeSiteLease(table, WORK, SANTOS, held)).toBeNull();
  });

  it('fences the holder that comes back: it neither renews, nor ends it, nor has a result that counts', async () => {
    const table = new MemoryTable();
    const silent = await takeSiteLease(table, WORK, APOLLO, null);
    expect(await takeSiteLease(table, WORK, SANTOS, silent)).toMatchObject({ site: 'santos-dumont', fence: 2 });
    expect(await renewSiteLease(table, WORK, 'apollo', 1)).toBe(false);
    expect(await endSiteLease(table, WORK, { site: 'apollo', fence: 1 }, RESULT)).toBe(false);
    expect(await takeSiteLease(table, WORK, APOLLO, silent)).toBeNull();
    expect(await readSiteLease(table, WORK)).toMatchObject({ site: 'santos-dumont', state: 'held', result: null });
  });

  it('fences an earlier hold of the same site too', async () => {
    const table = new MemoryTable();
    await takeSiteLease(table, WORK, APOLLO, null);
    expect(await takeSiteLease(table, WORK, APOLLO, null)).toMatchObject({ fence: 2 });
    expect(await renewSiteLease(table, WORK, 'apollo', 1)).toBe(false);
  });

  it.each([
    ['done, with the result that counts', RESULT, 'done'],
    ['free', null, 'free'],
  ])('ends once, %s; then anybody may have it', async (_what, result, state) => {
    const table = new MemoryTable();
    await takeSiteLease(table, WORK, APOLLO, null);
    expect(await endSiteLease(table, WORK, { site: 'apollo', fence: 1 }, result)).toBe(true);
    expect(await readSiteLease(table, WORK)).toMatchObject({ state, result });
    expect(await endSiteLease(table, WORK, { site: 'apollo', fence: 1 }, RESULT)).toBe(false);
    expect(await takeSiteLease(table, WORK, SANTOS, null)).toMatchObject({ fence: 2, state: 'held', result: null });
  });
});
