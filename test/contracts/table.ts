import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Condition, equals, type Key, ROW_EXISTS, ROW_IS_NEW, scan, type Table, type Write } from '#core/table.ts';

/** What the books rely on, whichever table they write in. */
export function tableContract(title: string, open: () => Table): void {
  describe(`${title} keeps the table's contract`, () => {
    /** A partition that no other test knows. */
    const fresh = () => `P#${randomUUID()}`;
    const put = (key: Key, fields: object = {}, when: readonly Condition[] = []): Write => ({
      kind: 'put',
      item: { ...key, ...fields },
      when,
    });

    it('gives back what was put, and null for what was not', async () => {
      const table = open();
      const key = { pk: fresh(), sk: 'A' };
      const fields = { text: 'é\u{1F52D}', empty: '', count: -2.5, large: 2 ** 53 - 1, yes: true, none: null };
      const nested = { list: [1, 'two', [null]], map: { inner: { deep: false } } };

      await table.write([put(key, { ...fields, nested, empty_list: [], empty_map: {} })]);

      expect(await table.get(key)).toEqual({ ...key, ...fields, nested, empty_list: [], empty_map: {} });
      expect(await table.get({ pk: key.pk, sk: 'B' })).toBeNull();
      expect(await table.get({ pk: fresh(), sk: 'A' })).toBeNull();
    });

    it('replaces the whole row by a put', async () => {
      const table = open();
      const key = { pk: fresh(), sk: 'A' };
      await table.write([put(key, { old: 1 })]);

      await table.write([put(key, { fresh: 2 })]);

      expect(await table.get(key)).toEqual({ ...key, fresh: 2 });
    });

    it('does not let a caller change a row through what it was given or gave', async () => {
      const table = open();
      const key = { pk: fresh(), sk: 'A' };
      const list = [1];
      await table.write([put(key, { list })]);

      list.push(2);

      expect(await table.get(key)).toEqual({ ...key, list: [1] });
    });

    it.each<[string, Condition, boolean]>([
      ['a new row, where there is one', ROW_IS_NEW, false],
      ['a row, where there is one', ROW_EXISTS, true],
      ['no attribute, and there is none', { kind: 'absent', attribute: 'nothing' }, true],
      ['no attribute, but it is null', { kind: 'absent', attribute: 'none' }, false],
      ['an attribute, and it is null', { kind: 'present', attribute: 'none' }, true],
      ['an attribute, but there is none', { kind: 'present', attribute: 'nothing' }, false],
      ['an equal text', equals('state', 'open'), true],
      ['an equal text, but it is another', equals('state', 'closed'), false],
      ['an equal number', equals('count', 3), true],
      ['an equal number, but it is a text', equals('count', '3'), false],
      ['an equal boolean', equals('yes', true), true],
      ['an equal value of what is not there', equals('nothing', 'open'), false],
      ['one of some texts', { kind: 'oneOf', attribute: 'state', values: ['shut', 'open'] }, true],
      ['one of some texts, but it is none', { kind: 'oneOf', attribute: 'state', values: ['shut', 'ajar'] }, false],
      ['one of no texts', { kind: 'oneOf', attribute: 'state', values: [] }, false],
      ['one of some texts of what is not there', { kind: 'oneOf', attribute: 'nothing', values: ['open'] }, false],
      ['at least what it is', { kind: 'atLeast', attribute: 'count', value: 3 }, true],
      ['at least more than it is', { kind: 'atLeast', attribute: 'count', value: 3.5 }, false],
      ['at least a number, but it is a text', { kind: 'atLeast', attribute: 'state', value: 0 }, false],
      ['at least a number of what is not there', { kind: 'atLeast', attribute: 'nothing', value: -1 }, false],
      ['a reserved word', equals('status', 'fine'), true],
    ])('holds a write to its condition: %s', async (_what, condition, holds) => {
      const table = open();
      const key = { pk: fresh(), sk: 'A' };
      const before = { state: 'open', count: 3, yes: true, none: null, status: 'fine' };
      await table.write([put(key, before)]);

      const updated = await table.write([{ kind: 'update', key, set: { touched: 1 }, when: [condition] }]);
      const checked = await table.write([{ kind: 'check', key, when: [condition] }]);

      const expected = holds ? { written: true } : { written: false, refused: [0] };
      expect([updated, checked]).toEqual([expected, expected]);
      expect(await table.get(key)).toEqual({ ...key, ...before, ...(holds ? { touched: 1 } : {}) });
    });

    it('asks for all conditions of a write', async () => {
      const table = open();
      const key = { pk: fresh(), sk: 'A' };
      await table.write([put(key, { a: 1, b: 2 })]);

      const both = await table.write([put(key, { c: 3 }, [equals('a', 1), equals('b', 3)])]);

      expect(both).toEqual({ written: false, refused: [0] });
    });

    it('writes all rows of a transaction or none, and names the positions that were refused', async () => {
      const table = open();
      const pk = fresh();
      await table.write([put({ pk, sk: 'taken' })]);
      const writes: [Write, ...Write[]] = [
        put({ pk, sk: 'A' }, {}, [ROW_IS_NEW]),
        put({ pk, sk: 'taken' }, {}, [ROW_IS_NEW]),
        { kind: 'update', key: { pk, sk: 'B' }, add: { count: 1 } },
        { kind: 'check', key: { pk, sk: 'C' }, when: [ROW_EXISTS] },
      ];

      const outcome = await table.write(writes);

      expect(outcome).toEqual({ written: false, refused: [1, 3] });
      expect((await table.query(pk, 't')).items).toHaveLength(1);
      expect(await table.get({ pk, sk: 'A' })).toBeNull();
      expect(await table.get({ pk, sk: 'B' })).toBeNull();
    });

    it('judges every condition by the rows as they were before the transaction', async () => {
      const table = open();
      const pk = fresh();

      const outcome = await table.write([
        put({ pk, sk: 'A' }),
        { kind: 'check', key: { pk, sk: 'B' }, when: [ROW_IS_NEW] },
        { kind: 'update', key: { pk, sk: 'C' }, set: { first: true }, when: [ROW_IS_NEW] },
      ]);

      expect(outcome).toEqual({ written: true });
      expect(await table.get({ pk, sk: 'C' })).toEqual({ pk, sk: 'C', first: true });
    });

    it('adds to a number, from 0 where there is no row or no attribute; sets and removes in the same write', async () => {
      const table = open();
      const key = { pk: fresh(), sk: 'A' };

      await table.write([{ kind: 'update', key, add: { count: 5 } }]);
      await table.write([
        { kind: 'update', key, add: { count: -2, other: 1 }, set: { 'odd-name': 1, odd_name: 2 }, remove: ['gone'] },
      ]);
      await table.write([{ kind: 'update', key, remove: ['odd-name'] }]);

      expect(await table.get(key)).toEqual({ ...key, count: 3, other: 1, odd_name: 2 });
    });

    it('refuses to add to what is no number, and leaves it alone', async () => {
      const table = open();
      const key = { pk: fresh(), sk: 'A' };
      const other = { pk: key.pk, sk: 'B' };
      await table.write([put(key, { text: 'three' })]);

      const write = table.write([put(other), { kind: 'update', key, add: { text: 1 } }]);

      await expect(write).rejects.toMatchObject({ name: 'InvariantError', code: 'WRITE_UNFIT' });
      expect(await table.get(key)).toEqual({ ...key, text: 'three' });
      expect(await table.get(other)).toBeNull();
    });

    it.each<[string, (pk: string) => [Write, ...Write[]]]>([
      ['one row twice', (pk) => [put({ pk, sk: 'A' }), { kind: 'check', key: { pk, sk: 'A' }, when: [ROW_IS_NEW] }]],
      ['nothing to do', (pk) => [{ kind: 'update', key: { pk, sk: 'A' } }]],
      ['an attribute twice', (pk) => [{ kind: 'update', key: { pk, sk: 'A' }, set: { a: 1 }, add: { a: 1 } }]],
      ['a new key', (pk) => [{ kind: 'update', key: { pk, sk: 'A' }, set: { sk: 'B' } }]],
      [
        'too many rows',
        (pk) => [put({ pk, sk: 'A' }), ...Array.from({ length: 100 }, (_, i) => put({ pk, sk: `${i}` }))],
      ],
    ])('does not take a write with %s', async (_what, writes) => {
      const table = open();
      const pk = fresh();

      const write = table.write(writes(pk));

      await expect(write).rejects.toMatchObject({ name: 'InvariantError', code: 'WRITE_MALFORMED' });
      expect((await table.query(pk, 'A')).items).toEqual([]);
    });

    it('takes 100 rows in one transaction', async () => {
      const table = open();
      const pk = fresh();
      const rows = Array.from({ length: 99 }, (_, index) => put({ pk, sk: `B${index}` }));

      await table.write([put({ pk, sk: 'A' }), ...rows]);

      expect((await table.query(pk, 'B', { limit: 100 })).items).toHaveLength(99);
    });

    it('lists the rows under a prefix in the order of the bytes of their sort keys', async () => {
      const table = open();
      const pk = fresh();
      // The last two are the other way round in UTF-16, which JavaScript compares by.
      const inOrder = [
        'K#',
        'K#-',
        'K#0',
        'K#10',
        'K#9',
        'K#A',
        'K#_',
        'K#a',
        'K#a/b',
        'K#é',
        'K#\uFB01',
        'K#\u{1F52D}',
      ];
      const others = ['J#z', 'K', 'L#', 'k#a'];
      for (const sk of [...inOrder, ...others].sort(() => -1)) await table.write([put({ pk, sk })]);
      await table.write([put({ pk: fresh(), sk: 'K#stranger' })]);

      const { items, cursor } = await table.query(pk, 'K#');

      expect(items.map((item) => item.sk)).toEqual(inOrder);
      expect(cursor).toBeNull();
    });

    it('goes on where a page ended, and ends', async () => {
      const table = open();
      const pk = fresh();
      const keys = Array.from({ length: 20 }, (_, index) => `N#${String(index).padStart(3, '0')}`);
      for (const sk of keys) await table.write([put({ pk, sk })]);
      await table.write([put({ pk, sk: 'O#' })]);

      const first = await table.query(pk, 'N#', { limit: 7 });
      const second = await table.query(pk, 'N#', { limit: 7, ...(first.cursor ? { after: first.cursor } : {}) });
      const scanned: string[] = [];
      for await (const item of scan(table, pk, 'N#', 10)) scanned.push(item.sk);

      expect([...first.items, ...second.items].map((item) => item.sk)).toEqual(keys.slice(0, 14));
      expect(scanned).toEqual(keys);
    });

    it('goes on after a row that is gone, or that never was', async () => {
      const table = open();
      const pk = fresh();
      for (const sk of ['N#1', 'N#3']) await table.write([put({ pk, sk })]);

      const page = await table.query(pk, 'N#', { after: { pk, sk: 'N#2' } });

      expect(page.items.map((item) => item.sk)).toEqual(['N#3']);
    });

    it('loses no addition of 64 writers at once', async () => {
      const table = open();
      const pk = fresh();
      const counter = { pk, sk: 'COUNTER' };

      const outcomes = await Promise.all(
        Array.from({ length: 64 }, (_, index) =>
          table.write([
            put({ pk, sk: `W#${index}` }, {}, [ROW_IS_NEW]),
            { kind: 'update', key: counter, add: { n: 1 } },
          ]),
        ),
      );

      expect(outcomes.every((outcome) => outcome.written)).toBe(true);
      expect(await table.get(counter)).toEqual({ ...counter, n: 64 });
    });

    it('lets one of 64 that claim the same row have it', async () => {
      const table = open();
      const key = { pk: fresh(), sk: 'CLAIM' };

      const outcomes = await Promise.all(
        Array.from({ length: 64 }, (_, index) => table.write([put(key, { by: index }, [ROW_IS_NEW])])),
      );

      const winner = outcomes.findIndex((outcome) => outcome.written);
      expect(outcomes.filter((outcome) => outcome.written)).toHaveLength(1);
      expect(outcomes.filter((outcome) => !outcome.written)).toEqual(
        Array.from({ length: 63 }, () => ({ written: false, refused: [0] })),
      );
      expect(await table.get(key)).toEqual({ ...key, by: winner });
    });

    it('never hands out more than there is to 64 who reserve at once', async () => {
      const table = open();
      const key = { pk: fresh(), sk: 'LEDGER' };
      await table.write([put(key, { available: 100 })]);

      const outcomes = await Promise.all(
        Array.from({ length: 64 }, () =>
          table.write([
            {
              kind: 'update',
              key,
              add: { available: -7 },
              when: [{ kind: 'atLeast', attribute: 'available', value: 7 }],
            },
          ]),
        ),
      );

      expect(outcomes.filter((outcome) => outcome.written)).toHaveLength(14);
      expect(await table.get(key)).toEqual({ ...key, available: 2 });
    });
  });
}
