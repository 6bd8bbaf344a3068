/** Whether the test holds for one of them; the others are not asked then. */
export async function anyOf<T>(items: Iterable<T>, test: (item: T) => Promise<boolean>): Promise<boolean> {
  for (const item of items) if (await test(item)) return true;
  return false;
}
