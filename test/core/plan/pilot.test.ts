import { describe, expect, it } from 'vitest';
import { estimateTotal, type Sample, studentT } from '#core/plan/statistics.ts';
import { seeded } from '#test/core/many-reservers.ts';

const TRACTS = 20;
const CHUNKS_PER_TRACT = 100;
const OBJECTS = 2_000_000;

/** Chunks of 20 tracts that differ in depth, so in rows and in seconds per row; 2,000,000 objects in all. */
function syntheticRelease(random: () => number): readonly Sample[] {
  const weights = Array.from({ length: TRACTS * CHUNKS_PER_TRACT }, () => 0.5 + random());
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const depth = Array.from({ length: TRACTS }, () => 0.7 + 0.6 * random());
  return weights.map((weight, index) => {
    const rows = Math.round((OBJECTS * weight) / total);
    const slow = random() < 0.05 ? 3 : 1;
    const perThousand = 2 * (depth[Math.floor(index / CHUNKS_PER_TRACT)] ?? 1) * (0.8 + 0.4 * random()) * slow;
    return { rows, cost: 3 + (rows / 1000) * perThousand };
  });
}

function draw<T>(all: readonly T[], count: number, random: () => number): readonly T[] {
  const pool = [...all];
  return Array.from({ length: count }, () => pool.splice(Math.floor(random() * pool.length), 1)).flat();
}

describe('the estimate from a pilot', () => {
  it('of 5 % comes within 10 % of the whole, and has it inside its interval in at least 9 of 10 runs', () => {
    const runs = Array.from({ length: 10 }, (_, seed) => {
      const random = seeded(seed + 1);
      const chunks = syntheticRelease(random);
      const actual = chunks.reduce((sum, { cost }) => sum + cost, 0);
      const rows = chunks.reduce((sum, chunk) => sum + chunk.rows, 0);
      const pilot = draw(chunks, chunks.length / 20, random);
      const { mean, low, high } = estimateTotal(pilot, { units: chunks.length, rows }, true);
      return { seed: seed + 1, rows, actual, mean, low, high, error: mean / actual - 1 };
    });
    console.table(
      runs.map(({ seed, actual, mean, low, high, error }) => ({
        seed,
        'actual, core-hours': Number((actual / 3600).toFixed(3)),
        estimate: Number((mean / 3600).toFixed(3)),
        interval: `${(low / 3600).toFixed(3)} to ${(high / 3600).toFixed(3)}`,
        error: `${(100 * error).toFixed(1)} %`,
        inside: low <= actual && actual <= high,
      })),
    );

    for (const { rows, error } of runs) {
      expect(Math.abs(rows - OBJECTS)).toBeLessThan(2000);
      expect(Math.abs(error)).toBeLessThan(0.1);
    }
    expect(runs.filter(({ low, high, actual }) => low <= actual && actual <= high).length).toBeGreaterThanOrEqual(9);
  });

  it('covers the truth about as often as it says, over 400 runs', () => {
    let inside = 0;
    for (let seed = 1; seed <= 400; seed += 1) {
      const random = seeded(1000 + seed);
      const all = Array.from({ length: 200 }, () => {
        const rows = 500 + Math.floor(1000 * random());
        return { rows, cost: rows * (0.5 + random()) };
      });
      const actual = all.reduce((sum, { cost }) => sum + cost, 0);
      const rows = all.reduce((sum, sample) => sum + sample.rows, 0);
      const { low, high } = estimateTotal(draw(all, 20, random), { units: 200, rows }, true);
      if (low <= actual && actual <= high) inside += 1;
    }
    expect(inside / 400).toBeGreaterThan(0.9);
    expect(inside / 400).toBeLessThan(0.99);
  });

  it('is certain of the whole once all of it is measured, and of nothing from one sample', () => {
    const all = [
      { rows: 10, cost: 3 },
      { rows: 20, cost: 9 },
    ];

    const whole = estimateTotal(all, { units: 2, rows: 30 }, true);

    expect(whole.mean).toBeCloseTo(12);
    expect([whole.low, whole.high]).toEqual([whole.mean, whole.mean]);
    expect(estimateTotal(all.slice(0, 1), { units: 2, rows: 30 }, true).high).toBe(Number.POSITIVE_INFINITY);
  });

  // Quantiles of Student's t at 0.975: Abramowitz and Stegun, table 26.10.
  it.each([
    [4, 2.776],
    [10, 2.228],
    [30, 2.042],
    [120, 1.98],
  ])('takes the quantile of t with %i degrees of freedom: %f', (degrees, quantile) => {
    expect(Math.abs(studentT(degrees) - quantile)).toBeLessThan(0.006);
  });
});
