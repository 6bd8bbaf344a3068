import { describe, expect, it } from 'vitest';
import { type Measurement, sizeTasks } from '#core/sizing.ts';

const limits = {
  memoryMb: 4096,
  maxMemoryMb: 32_768,
  timeLimitMinutes: 60,
  maxTimeLimitMinutes: 720,
  tasksPerArray: 50,
  targetMinutes: 30,
};
/** A part of 130,000 rows in a minute. */
const measured = (changes: Partial<Measurement> = {}): Measurement => ({
  rows: 130_000,
  wallSeconds: 65,
  importSeconds: 5,
  peakRssBytes: 1000 * 1024 ** 2,
  memoryMb: 4096,
  outcome: 'succeeded',
  ...changes,
});
const many = (changes: Partial<Measurement> = {}) => Array.from({ length: 10 }, () => measured(changes));
const batch = (units: number) => ({ rows: units * 130_000, units, largestUnitRows: 130_000 });

describe('the size of tasks', () => {
  it('before anything was measured is what the site says, in as many tasks as there may be', () => {
    expect(sizeTasks([], batch(80), limits)).toEqual({ tasks: 50, memoryMb: 4096, minutes: 60 });
    expect(sizeTasks(many().slice(0, 4), batch(3), limits)).toEqual({ tasks: 3, memoryMb: 4096, minutes: 60 });
  });

  it('aims at the wanted minutes, without counting the imports', () => {
    expect(sizeTasks(many(), batch(120), limits).tasks).toBe(4);
    expect(sizeTasks(many(), batch(120), { ...limits, targetMinutes: 60 }).tasks).toBe(2);
    expect(sizeTasks(many(), batch(10), limits).tasks).toBe(1);
    expect(sizeTasks(many({ wallSeconds: 5005 }), batch(10), limits).tasks).toBe(10);
  });

  it('gives time for twice what is expected, and one unit more, up to the site’s limit', () => {
    // 30 minutes and one of a minute, twice, and 5 for the start.
    expect(sizeTasks(many(), batch(120), limits).minutes).toBe(67);
    expect(sizeTasks(many({ wallSeconds: 100_005 }), batch(10), limits).minutes).toBe(720);
  });

  it('asks for the highest peak with a margin, less or more than the site’s first guess', () => {
    expect(sizeTasks(many(), batch(10), limits).memoryMb).toBe(1556);
    const hungry = [...many(), measured({ peakRssBytes: 7000 * 1024 ** 2 })];
    expect(sizeTasks(hungry, batch(10), limits).memoryMb).toBe(9356);
    expect(sizeTasks(many({ peakRssBytes: 1e12 }), batch(10), limits).memoryMb).toBe(32_768);
  });

  it('does not start again with what ran out', () => {
    const exhausted = measured({ outcome: 'out-of-memory', memoryMb: 4096 });
    expect(sizeTasks([exhausted], batch(10), limits).memoryMb).toBe(8192);
    expect(sizeTasks([...many(), exhausted], batch(10), limits).memoryMb).toBe(8192);
  });

  it('does not learn a rate from what failed', () => {
    expect(sizeTasks(many({ outcome: 'failed', wallSeconds: 1 }), batch(80), limits).tasks).toBe(50);
  });
});
