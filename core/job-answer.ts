import type { JobAnswer, JobResult, ObjectRef } from '#core/job.ts';

/** What SendTaskSuccess carries. A unit holds its cores for its wall time, so that is what it costs the allocation. */
export function answerOf(result: JobResult, ref: ObjectRef, coresPerTask: number): JobAnswer {
  const { workKey, records } = result;
  const wallSeconds = records.reduce((sum, record) => sum + record.seconds.wall, 0);
  return {
    workKey,
    result: ref,
    units: records.length,
    failedUnits: records.filter((record) => record.outcome === 'failed').length,
    rows: records.reduce((sum, record) => sum + (record.outcome === 'succeeded' ? record.rows : 0), 0),
    coreSeconds: Math.round(wallSeconds * coresPerTask * 1000) / 1000,
  };
}
