import { expect, test } from 'vitest';
import { MemoryTable } from '#adapters/memory-table.ts';
import { sha256 } from '#core/digest.ts';
import { largerBytes, readPartOutputs } from '#core/part-outputs.ts';
import { estimateRowKey, posteriorRowKey } from '#core/work.ts';

test('a part is packed from what the algorithms of the campaign left of it, in their order', async () => {
  const table = new MemoryTable();
  const [part, other] = [sha256('part'), sha256('other')];
  const put = (keyOf: typeof estimateRowKey, algorithm: string, sizeBytes: number, of = part) => {
    const ref = { key: `work/${algorithm}`, sha256: sha256(algorithm), sizeBytes };
    return table.write([
      { kind: 'put', item: { ...keyOf('c', of, algorithm), ...ref, unitId: of, name: 'points', rows: 1 } },
    ]);
  };
  for (const [index, algorithm] of ['bpz', 'dnf', 'knn'].entries()) await put(estimateRowKey, algorithm, 10 + index);
  await put(posteriorRowKey, 'knn', 300);
  await put(estimateRowKey, 'cmnn', 99, other);

  const outputs = await readPartOutputs(table, 'c', part, ['knn', 'bpz', 'cmnn']);

  expect(Object.keys(outputs.points)).toEqual(['knn', 'bpz']);
  expect(outputs.pdfs).toEqual({ knn: { key: 'work/knn', sha256: sha256('knn'), sizeBytes: 300 } });
  expect(largerBytes(outputs)).toBe(300);
  expect(largerBytes(await readPartOutputs(table, 'c', other, ['cmnn']))).toBe(99);
});
