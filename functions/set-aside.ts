import type { ChunkRow } from '#core/chunk.ts';
import { writeDocument } from '#core/documents.ts';
import { chunkObjectKey } from '#core/release.ts';
import type { Services } from '#functions/services.ts';

/** Copies the refused file and its report to the quarantine bucket; the log line is what the alarm counts. */
export async function setAside(chunk: ChunkRow, services: Services): Promise<void> {
  const folder = `${chunk.release}/${chunk.chunkId}`;
  await writeDocument(services.quarantine, `${folder}/report.json`, chunk);
  const key = chunkObjectKey(chunk.release, chunk.name);
  const head = await services.landing.head(key);
  if (head?.etag === chunk.etag) await services.quarantine.copyFrom(services.landing, key, `${folder}/chunk.parquet`);
  const codes = chunk.findings.map((finding) => finding.code);
  services.log.warn('Chunk:Quarantined', { release: chunk.release, name: chunk.name, codes });
}
