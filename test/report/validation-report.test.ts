import { describe, expect, test } from 'vitest';
import { evaluationSchema as writtenSchema } from '#core/evaluation.ts';
import { evaluationSchema, validationReportSchema } from '#core/report/validation-report.ts';
import { makeEvaluation, makeReport } from '#test/report/report-fixture.ts';

describe('the schema of a report', () => {
  test('reads what the worker writes', () => {
    const written = writtenSchema.parse(makeEvaluation('bpz'));

    expect(evaluationSchema.parse(written)).toEqual(written);
    expect(validationReportSchema.parse(makeReport())).toEqual(makeReport());
  });

  test('lets a metric be null or missing, but not be unknown or no number', () => {
    const evaluation = makeEvaluation('bpz');
    const { bias: _bias, ...metrics } = evaluation.metrics;
    const accepts = (changed: object) => evaluationSchema.safeParse({ ...evaluation, metrics: changed }).success;

    expect(accepts({ ...metrics, bias: null })).toBe(true);
    expect(accepts(metrics)).toBe(true);
    expect(accepts({ ...metrics, bais: 0 })).toBe(false);
    expect(accepts({ ...metrics, bias: Number.NaN })).toBe(false);
    expect(accepts({ ...metrics, bias: 'small' })).toBe(false);
  });

  test('refuses histograms whose edges do not fit their bins, and fields that it does not know', () => {
    const { pit, nz, ...rest } = makeEvaluation('bpz');
    const refusalOf = (changed: object) =>
      evaluationSchema.safeParse({ ...rest, pit, nz, ...changed }).error?.issues[0];

    expect(refusalOf({ pit: { ...pit, counts: [1] } })?.path).toEqual(['pit']);
    expect(refusalOf({ nz: { ...nz, true: [1] } })?.path).toEqual(['nz']);
    expect(refusalOf({ verdict: 'fine' })?.code).toBe('unrecognized_keys');
  });
});
