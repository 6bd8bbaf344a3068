/** One step of a verification as a process of its own, over one real partition or over the records of a survey. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { FolderCollection } from '#adapters/collection-source.ts';
import { withDatabase } from '#adapters/duckdb.ts';
import { outlineCollection } from '#adapters/hats-outline.ts';
import { lookAtPartition } from '#adapters/hats-partition-check.ts';
import { PREFIX, SurveyLake } from '#bench/verification/survey-lake.ts';
import { PartitionsBySky } from '#core/hats/margin-check.ts';
import { partLeafPath } from '#core/hats/parts.ts';
import { partitionRecordSchema } from '#core/hats/verification.ts';
import { objectRefSchema } from '#core/job.ts';
import { concludeCatalogue, planIdRanges, planVerification } from '#functions/verification.ts';
import { FOLDERS } from '#test/hats/synthetic-catalogue.ts';

const [step = '', folder = '', order, partitions, rows] = process.argv.slice(2);
const recordPath = join(folder, 'record.json');
const refsPath = join(folder, 'refs.json');
const refsSchema = z.looseObject({ partitions: objectRefSchema.optional(), idRanges: objectRefSchema.optional() });

async function look(): Promise<void> {
  const source = new FolderCollection(join(folder, 'collection'));
  const { outline, looks } = await outlineCollection(source, {});
  const [only] = looks;
  if (!outline || !only || looks.length > 1) throw new Error('it is not one partition');
  const surroundings = { source, outline, sky: new PartitionsBySky(outline.partitions) };
  const engine = { threads: 1, memoryLimit: '900MiB', temporaryFolder: join(folder, 'spill') };
  const record = await withDatabase(engine, (database) => lookAtPartition(surroundings, only, database));
  await writeFile(recordPath, JSON.stringify(record));
}

async function overSurvey(): Promise<void> {
  const sample = partitionRecordSchema.parse(JSON.parse(await readFile(recordPath, 'utf8')));
  const survey = { order: Number(order), partitions: Number(partitions), rows: Number(rows) };
  // A margin has the columns of the estimates.
  const leafOf = (kind: 'object' | 'margin' | 'index' | 'posterior') => (kind === 'margin' ? 'object' : kind);
  const lake = new SurveyLake(join(folder, 'lake'), survey, sample, (kind) =>
    join(folder, 'collection', FOLDERS[leafOf(kind)], partLeafPath(leafOf(kind), sample)),
  );
  const catalogue = {
    ...{ name: 'survey', prefix: PREFIX, manifest: lake.manifest() },
    ...{ rows: survey.partitions * survey.rows, partitions: survey.partitions },
  };
  const scratch = join(folder, 'scratch');
  await mkdir(scratch, { recursive: true });
  const services = lake.services(scratch);
  const before = refsSchema.parse(JSON.parse(await readFile(refsPath, 'utf8')));
  const lists = () => z.object({ partitions: objectRefSchema, idRanges: objectRefSchema }).parse(before);
  const done =
    step === 'plan'
      ? { partitions: await planVerification('campaign', catalogue, services) }
      : step === 'ids'
        ? { idRanges: await planIdRanges('campaign', objectRefSchema.parse(before.partitions), services) }
        : { leaves: (await concludeCatalogue(catalogue, catalogue.rows, lists(), services)).leaves };
  await writeFile(refsPath, JSON.stringify({ ...before, ...done }));
}

await (step === 'look' ? look() : overSurvey());
