import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { PrimaryCatalogue } from '#adapters/hats-part-comparison.ts';
import { APPROVED_REPORT, DELIVERY_NOTE, DOCUMENTATION, PACKET } from '#core/hats/layout.ts';
import type { Manifest } from '#core/hats/manifest.ts';
import { contentsOf, type Packet, packetSchema } from '#core/hats/packet.ts';
import { packetDocuments } from '#core/hats/packet-documents.ts';
import type { Findings } from '#core/hats/verdict.ts';

/** Compares the packet, where it is there, with the catalogue, and its documents with what its facts give. */
export async function checkPacket(
  primary: PrimaryCatalogue,
  manifest: Manifest | null,
  present: readonly string[],
  findings: Findings,
): Promise<void> {
  if (![PACKET, DOCUMENTATION, DELIVERY_NOTE].some((path) => present.includes(path))) return;
  const packet = packetSchema.safeParse(await jsonOf(primary.root, PACKET)).data;
  if (!packet) {
    findings.add(
      'PACKET_DIFFERS',
      PACKET,
      'It is missing or not what this version writes, so no document can be compared.',
    );
    return;
  }
  for (const sentence of untrue(packet, primary, manifest)) findings.add('PACKET_DIFFERS', PACKET, sentence);
  for (const [path, text] of Object.entries(packetDocuments(packet, primary.shape))) {
    if ((await textOf(primary.root, path)) === text) continue;
    findings.add(
      'PACKET_DIFFERS',
      path,
      `Made anew from ${PACKET} and the columns of the catalogue it is another text.`,
    );
  }
}

/** What the facts say that the collection does not bear out. */
function untrue(packet: Packet, { leaves, shape, collection }: PrimaryCatalogue, manifest: Manifest | null): string[] {
  const rows = leaves.reduce((sum, { footer }) => sum + footer.rows, 0);
  const report = manifest?.files.find(({ path }) => path === APPROVED_REPORT)?.sha256 ?? null;
  return [
    ...(packet.rows === rows && packet.partitions === leaves.length
      ? []
      : [`It counts ${packet.rows} rows in ${packet.partitions} partitions; there are ${rows} in ${leaves.length}.`]),
    ...(packet.collection === collection
      ? []
      : [`It is of the collection ${packet.collection}, not of ${collection}.`]),
    ...(isDeepStrictEqual(
      packet.algorithms.map(({ name }) => name),
      [...shape.algorithms],
    )
      ? []
      : ['Its algorithms are not those of the columns.']),
    ...(manifest === null || isDeepStrictEqual(packet.contents, contentsOf(manifest.files))
      ? []
      : ['Its files, sizes and digests are not those of the manifest.']),
    ...(manifest === null || (packet.approval?.reportSha256 ?? null) === report
      ? []
      : [`The report that was approved is not the ${APPROVED_REPORT} of the manifest.`]),
  ];
}

const textOf = (root: string, path: string) => readFile(join(root, path), 'utf8').catch(() => null);

async function jsonOf(root: string, path: string): Promise<unknown> {
  try {
    return JSON.parse((await textOf(root, path)) ?? '');
  } catch {
    return null;
  }
}
