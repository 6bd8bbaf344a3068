import { isDeepStrictEqual } from 'node:util';
import type { CollectionSource } from '#adapters/collection-source.ts';
import type { PrimaryCatalogue } from '#adapters/hats-structure-check.ts';
import { APPROVED_REPORT, DELIVERY_NOTE, DOCUMENTATION, PACKET } from '#core/hats/layout.ts';
import type { Manifest } from '#core/hats/manifest.ts';
import { type AnyPacket, anyPacketSchema, contentsOf, packetSchema } from '#core/hats/packet.ts';
import { packetDocuments } from '#core/hats/packet-documents.ts';
import { TEXTS_VERSION } from '#core/hats/texts.ts';
import type { Findings } from '#core/hats/verdict.ts';

/**
 * Compares the packet, where it is there, with the catalogue, and its documents with what its facts give, if their
 * wording is this version's.
 * @returns the version of the wording; null when nothing says it.
 */
export async function checkPacket(
  primary: PrimaryCatalogue,
  manifest: Manifest | null,
  present: ReadonlyMap<string, number>,
  findings: Findings,
): Promise<number | null> {
  if (![PACKET, DOCUMENTATION, DELIVERY_NOTE].some((path) => present.has(path))) return null;
  const differs = (path: string, sentence: string) => findings.add('PACKET_DIFFERS', path, sentence);
  const json = await jsonOf(primary.source, PACKET);
  const facts = anyPacketSchema.safeParse(json).data;
  if (!facts) {
    differs(PACKET, 'It is missing, or without the facts of every packet, so no document can be compared.');
    return null;
  }
  for (const sentence of untrue(facts, primary, manifest)) differs(PACKET, sentence);
  if (facts.textsVersion !== TEXTS_VERSION) {
    for (const path of [DOCUMENTATION, DELIVERY_NOTE]) {
      if (!present.has(path)) differs(path, 'It is missing beside the facts that it is made from.');
    }
    const text = `The wording of the documents is version ${facts.textsVersion}, and this verifier knows version ${TEXTS_VERSION}: their sentences were not compared, the facts and the digests were.`;
    findings.note(PACKET, text);
    return facts.textsVersion;
  }
  const packet = packetSchema.safeParse(json).data;
  if (!packet) differs(PACKET, 'It says this version of the wording and has other facts than that takes.');
  const documents = packet ? packetDocuments(packet, primary.shape) : {};
  for (const [path, text] of Object.entries(documents)) {
    if ((await textOf(primary.source, path)) === text) continue;
    differs(path, `Made anew from ${PACKET} and the columns of the catalogue it is another text.`);
  }
  return facts.textsVersion;
}

/** What the facts say that the collection does not bear out. */
function untrue(
  packet: AnyPacket,
  { leaves, shape, collection }: PrimaryCatalogue,
  manifest: Manifest | null,
): string[] {
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

const textOf = async (source: CollectionSource, path: string) => (await source.bytes(path))?.toString('utf8') ?? null;

async function jsonOf(source: CollectionSource, path: string): Promise<unknown> {
  try {
    return JSON.parse((await textOf(source, path)) ?? '');
  } catch {
    return null;
  }
}
