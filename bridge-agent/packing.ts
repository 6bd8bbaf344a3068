/**
 * Spreads units over at most `count` tasks so that the largest task is small: longest first, each to the task with the
 * fewest rows so far. Run time is linear in rows. Same input, same result.
 */
export function spread<U extends { readonly rows: number; readonly unitId: string }>(
  units: readonly U[],
  count: number,
): readonly (readonly U[])[] {
  const bins = Array.from({ length: Math.min(count, units.length) }, (): { rows: number; units: U[] } => ({
    rows: 0,
    units: [],
  }));
  const longestFirst = [...units].sort((a, b) => b.rows - a.rows || (a.unitId < b.unitId ? -1 : 1));
  for (const unit of longestFirst) {
    const least = bins.reduce((best, bin) => (bin.rows < best.rows ? bin : best));
    least.units.push(unit);
    least.rows += unit.rows;
  }
  return bins.map((bin) => bin.units);
}
