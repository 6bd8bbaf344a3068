import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { fileDigest } from '#adapters/file-digest.ts';
import type { Work } from '#adapters/journal-rows.ts';
import type { AgentContext } from '#bridge-agent/context.ts';
import { returnLogs, withLastLines } from '#bridge-agent/logs.ts';
import { readRecord } from '#bridge-agent/records.ts';
import { completeWork, failWork, fenceWork } from '#bridge-agent/report.ts';
import { withCap } from '#bridge-agent/retry.ts';
import { sha256 } from '#core/digest.ts';
import { TransientError } from '#core/errors.ts';
import { type ExitRecord, type JobResult, jobResultSchema, type ReturnedObject } from '#core/job.ts';
import { answerOf } from '#core/job-answer.ts';
import { outputKey } from '#core/work.ts';

/** The last record of every unit, in the order of their ids. */
function lastRecords(work: Work, { journal, scratch }: AgentContext): readonly ExitRecord[] {
  const folder = scratch.folder(work);
  const units = journal.tasks(work).flatMap((task) => task.units);
  const last = new Map(units.sort((a, b) => a.attempt - b.attempt).map((unit) => [unit.unitId, unit]));
  return [...last.values()]
    .sort((a, b) => (a.unitId < b.unitId ? -1 : 1))
    .map((unit) => readRecord(folder, work.work_key, unit));
}

/**
 * Uploads what the units produced, then the result document that lists it, then answers. An upload that was done before
 * a kill is found by its key and its digest, so repeating costs a HEAD each.
 */
export async function returnOutputs(work: Work, context: AgentContext): Promise<void> {
  const { configuration, lake, leases } = context;
  const { message } = work;
  // Killed after its result began to count, it finds it.
  if (configuration.leaseTable !== undefined && (await answerFromLake(work, context))) return;
  if (!(await leases.renew(work))) return fenceWork(work, context);
  const records = lastRecords(work, context).map((record) =>
    withLastLines(withCap(record, work, context), work, context),
  );
  await returnLogs(work, context);
  const succeeded = records.filter((record) => record.outcome === 'succeeded');
  if (succeeded.length === 0) {
    const [first] = records;
    return failWork(work, `${first?.error?.code}: ${first?.error?.message} (${records.length} units failed)`, context);
  }
  const outputs: ReturnedObject[] = [];
  for (const record of succeeded) {
    for (const output of record.outputs) {
      const returned = await returnOne(work, record, output, context);
      if (returned === null) {
        const said = `${output.path} is not the file that its exit record describes: scratch lost or damaged it`;
        return failWork(work, said, context, TransientError.name);
      }
      outputs.push(returned);
    }
  }
  const result: JobResult = {
    version: 1,
    workKey: message.workKey,
    kind: message.kind,
    site: configuration.site,
    outputs,
    records: records.map(({ outputs: _paths, ...record }) => record),
  };
  const bytes = Buffer.from(JSON.stringify(result));
  const ref = await lake.putBytes(leases.resultKey(work), bytes, 'application/json');
  context.faultPoint?.('Result:Stored');
  if (!(await leases.finish(work.work_key, ref))) return fenceWork(work, context);
  completeWork(work, answerOf(result, ref, configuration.limits.cpusPerTask), 'Job:Done', context);
}

/** Null when scratch no longer has what the record describes. */
async function returnOne(
  { work_key, message }: Work,
  record: ExitRecord,
  output: ExitRecord['outputs'][number],
  { lake, signal, signsOfLife, clock }: AgentContext,
): Promise<ReturnedObject | null> {
  signal.throwIfAborted();
  const { name, path, sha256: digest, sizeBytes, rows } = output;
  const produced = { sha256: digest, sizeBytes, unitId: record.unitId, name, rows };
  const key = outputKey(message.outputPrefix, produced);
  const returned = { key, ...produced };
  const present = await lake.head(key);
  if (present?.declaredSha256 !== digest || present.sizeBytes !== sizeBytes) {
    if (!existsSync(path) || (await fileDigest(path)) !== digest) return null;
    await lake.putFile(key, path, digest);
  }
  signsOfLife.set(work_key, clock.now().getTime());
  return returned;
}

/**
 * Answers from a result that is complete in the lake already: of an agent whose journal was lost, or of an earlier
 * round. A result with units that failed for reasons of infrastructure does not count. True when it answered.
 */
export async function answerFromLake(work: Work, context: AgentContext): Promise<boolean> {
  const { lake, configuration, leases } = context;
  const key = await leases.findResult(work);
  const bytes = key === null ? null : await lake.getBytes(key);
  if (key === null || bytes === null) return false;
  const parsed = jobResultSchema.safeParse(JSON.parse(new TextDecoder().decode(bytes)));
  if (!parsed.success || parsed.data.workKey !== work.work_key) return false;
  const result = parsed.data;
  if (result.records.some((record) => record.error?.kind === 'infrastructure')) return false;
  for (const output of result.outputs) {
    const head = await lake.head(output.key);
    if (head?.declaredSha256 !== output.sha256 || head.sizeBytes !== output.sizeBytes) return false;
  }
  const ref = { key, sha256: sha256(bytes), sizeBytes: bytes.byteLength };
  completeWork(work, answerOf(result, ref, configuration.limits.cpusPerTask), 'Job:FoundDone', context);
  return true;
}

/** Scratch has few inodes and a quota: nothing of a finished work stays. */
export async function cleanUp(work: Pick<Work, 'work_key'>, { scratch, signsOfLife }: AgentContext): Promise<void> {
  signsOfLife.delete(work.work_key);
  await rm(scratch.allRounds(work.work_key), { recursive: true, force: true });
}
