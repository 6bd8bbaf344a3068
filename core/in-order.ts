/**
 * What `work` gives for each item, in the order of the items, while up to `ahead` of them are worked on: a function that asks for
 * a hundred thousand small things one after the other spends its life waiting.
 *
 * @throws what the first failing work throws, in the order of the items; later ones are left alone.
 */
export async function* inOrder<T, R>(
  items: AsyncIterable<T> | Iterable<T>,
  ahead: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const underWay: Promise<R>[] = [];
  for await (const item of items) {
    const result = work(item);
    // It is looked at when its turn comes; until then a failure is nobody's.
    result.catch(() => {});
    underWay.push(result);
    const [first] = underWay;
    if (first === undefined || underWay.length < ahead) continue;
    underWay.shift();
    yield await first;
  }
  for (const result of underWay) yield await result;
}
