import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readApproval } from '#core/approval.ts';
import { readCampaign, readModel } from '#core/campaign-book.ts';
import { readRelease } from '#core/chunk-book.ts';
import { DELIVERIES, DELIVERY_PREFIX, deliveryRowSchema } from '#core/delivery.ts';
import { sha256 } from '#core/digest.ts';
import { readDocument } from '#core/documents.ts';
import { TransientError } from '#core/errors.ts';
import { APPROVED_PAGE, APPROVED_REPORT } from '#core/hats/layout.ts';
import type { ManifestFile } from '#core/hats/manifest.ts';
import { contentsOf, type Packet } from '#core/hats/packet.ts';
import { packetConfiguration } from '#core/hats/packet-configuration.ts';
import { packetDocuments } from '#core/hats/packet-documents.ts';
import { TEXTS_VERSION } from '#core/hats/texts.ts';
import type { ObjectRef } from '#core/job.ts';
import { type PackingPlan, planShape } from '#core/partition-task.ts';
import type { ObjectStore } from '#core/ports.ts';
import { registeredConfiguration } from '#core/registered-algorithms.ts';
import { type ValidationReport, validationReportSchema } from '#core/report/validation-report.ts';
import { scan, type Table } from '#core/table.ts';

interface PacketServices {
  readonly table: Table;
  readonly lake: ObjectStore;
}

/**
 * Writes the documents that go with the collection: the facts, what is made from them, and the report that the
 * approval is bound to. `files` are all others of the collection.
 */
export async function writePacket(
  plan: PackingPlan,
  files: readonly ManifestFile[],
  counts: Pick<Packet, 'rows' | 'partitions'>,
  folder: string,
  services: PacketServices,
): Promise<readonly ManifestFile[]> {
  const { table, lake } = services;
  const approval = await readApproval(table, plan.campaign);
  const decision = approval?.decision?.verdict === 'approved' ? approval.decision : null;
  const documents: Record<string, string | Uint8Array> = {};
  let report: ValidationReport | null = null;
  let approved: Packet['approval'] = null;
  if (approval && decision) {
    report = await readDocument(lake, approval.report, validationReportSchema);
    approved = { at: decision.at, reportSha256: approval.report.sha256 };
    for (const [path, ref] of [
      [APPROVED_REPORT, approval.report],
      [APPROVED_PAGE, approval.page],
    ] as const) {
      documents[path] = await wholeObject(ref, services);
    }
  }
  const facts: Packet = {
    ...(await factsOf(plan, report, table)),
    ...counts,
    textsVersion: TEXTS_VERSION,
    approval: approved,
    contents: [...contentsOf(files)],
  };
  Object.assign(documents, packetDocuments(facts, planShape(plan)));
  const written: ManifestFile[] = [];
  for (const [path, content] of Object.entries(documents)) {
    await writeFile(join(folder, path), content);
    written.push({ path, sha256: sha256(content), sizeBytes: Buffer.byteLength(content) });
  }
  return written;
}

async function factsOf(plan: PackingPlan, report: ValidationReport | null, table: Table) {
  const campaign = await readCampaign(table, plan.campaign);
  const { spec } = await readRelease(table, plan.release);
  const algorithms: Packet['algorithms'] = [];
  for (const name of plan.algorithms) {
    const configurationDigest = spec.algorithms[name]?.configurationDigest ?? null;
    const { sha256: modelSha256 } = await readModel(table, plan.campaign, name);
    const metrics = report?.algorithms.find(({ algorithm }) => algorithm === name)?.evaluation.metrics ?? null;
    const registered = registeredConfiguration(name, configurationDigest);
    const configuration = registered && packetConfiguration(registered);
    algorithms.push({ name, configurationDigest, modelSha256, configuration, metrics });
  }
  const { trainingSet, trainingCut, trainingOrigin } = spec;
  return {
    version: 2 as const,
    collection: plan.name,
    title: plan.title,
    release: plan.release,
    campaign: plan.campaign,
    createdAt: plan.createdAt,
    previous: await previousDelivery(plan, table),
    chunks: { used: campaign.chunks, quarantined: campaign.quarantinedChunks },
    profile: spec.profile.name,
    recipe: spec.recipe.name,
    training: {
      sha256: trainingSet.sha256,
      cut: trainingCut?.cut ?? null,
      source: trainingOrigin?.source ?? null,
      licence: trainingOrigin?.licence ?? null,
      heldOut: spec.campaign.heldOut,
    },
    environmentDigest: spec.environmentDigest,
    algorithms,
    publication: spec.publication ?? null,
  };
}

/** The newest delivery that stood before this campaign was planned: the same when the step is run again. */
async function previousDelivery(plan: PackingPlan, table: Table): Promise<string | null> {
  let newest: { readonly delivery: string; readonly deliveredAt: string } | null = null;
  for await (const item of scan(table, DELIVERIES, DELIVERY_PREFIX)) {
    const row = deliveryRowSchema.parse(item);
    if (row.collection !== plan.name || row.withdrawn || row.deliveredAt >= plan.createdAt) continue;
    if (newest === null || row.deliveredAt > newest.deliveredAt) newest = row;
  }
  return newest?.delivery ?? null;
}

async function wholeObject(ref: ObjectRef, { lake }: PacketServices): Promise<Uint8Array> {
  const bytes = await lake.getBytes(ref.key);
  if (bytes && sha256(bytes) === ref.sha256) return bytes;
  throw new TransientError(`the document ${ref.key} is ${bytes ? 'not the one referred to' : 'missing'}`, {
    code: 'DIGEST_MISMATCH',
    hint: 'It was replaced or damaged; the step is tried again.',
  });
}
