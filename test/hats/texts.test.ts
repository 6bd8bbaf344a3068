import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { algorithmSchema, configurationDigest } from '#core/algorithm.ts';
import { sha256 } from '#core/digest.ts';
import { photozColumns } from '#core/hats/columns.ts';
import { felisYaml } from '#core/hats/felis.ts';
import type { Packet } from '#core/hats/packet.ts';
import { packetConfiguration } from '#core/hats/packet-configuration.ts';
import { packetDocuments } from '#core/hats/packet-documents.ts';
import { TEXTS_VERSION } from '#core/hats/texts.ts';
import { REGISTERED, registeredConfiguration } from '#core/registered-algorithms.ts';
import { PACKET_FACTS, SHAPE } from './synthetic-catalogue.ts';

/**
 * What each version of the texts rendered of the facts below. A version that was delivered never changes: raise
 * TEXTS_VERSION, and add the digest that the failed test printed.
 */
const RENDERED: Readonly<Record<number, string>> = {
  2: '13072e55a6cd2bccb13b1923144b497e155e779972a7ad3d7e63e7f17b819096',
};

const bare: Packet = { ...PACKET_FACTS, rows: 10, partitions: 2 };
const full: Packet = {
  ...bare,
  previous: 'made-up.zero.0123456789',
  training: { ...bare.training, cut: 'mag_i < 25', source: 'doi:10.0000/x', licence: 'CC0-1.0' },
  approval: { at: '2026-01-03T00:00:00.000Z', reportSha256: sha256('report') },
  publication: {
    licence: 'CC-BY-4.0',
    documentation: 'https://photoz.example.org/made-up',
    repositories: ['https://git.example.org/ponte'],
    contacts: [
      { name: 'A. Sousa', email: 'a@example.org' },
      { name: 'B. Lima', email: 'b@example.org' },
    ],
  },
  contents: ['made_up', 'made_up_pz'].map((folder) => ({ folder, files: 1, sizeBytes: 10, sha256: sha256(folder) })),
};

test('a text that is worded anew has a new version', () => {
  const schema = felisYaml({ schema: 's', table: 't', description: 'd', version: 'v' }, SHAPE);

  const digest = sha256(JSON.stringify([schema, packetDocuments(bare, SHAPE), packetDocuments(full, SHAPE)]));

  expect(
    digest,
    `felis.yaml, README.md or DELIVERY_NOTE.md reads differently now: raise TEXTS_VERSION and record ${digest}`,
  ).toBe(RENDERED[TEXTS_VERSION]);
});

test('what is said of a column is in those texts', () => {
  const schema = felisYaml({ schema: 's', table: 't', description: 'd', version: 'v' }, SHAPE);

  for (const { description } of photozColumns(SHAPE)) expect(schema).toContain(JSON.stringify(description));
});

describe('the registered algorithms', () => {
  test('are the files of schemas/algorithms', () => {
    const files = readdirSync(join(import.meta.dirname, '../../schemas/algorithms'));

    expect(REGISTERED.map(({ name }) => `${name}.json`)).toEqual(files.sort());
  });

  test.each(REGISTERED.map(({ name }) => name))('%s is found by the digest of its configuration alone', (name) => {
    const algorithm = algorithmSchema.parse(REGISTERED.find((each) => each.name === name));

    expect(registeredConfiguration(name, configurationDigest(algorithm))).toEqual(algorithm);
    expect(registeredConfiguration(name, sha256('another'))).toBeNull();
  });
});

test('a page has every parameter with its value, unit and meaning', () => {
  const algorithms = REGISTERED.map((each) => algorithmSchema.parse(each));
  const facts = algorithms.map((algorithm) => ({
    ...{ name: algorithm.name, configurationDigest: configurationDigest(algorithm), modelSha256: null, metrics: null },
    configuration: packetConfiguration(algorithm),
  }));

  const page = packetDocuments({ ...bare, algorithms: facts }, SHAPE)['README.md'] ?? '';

  for (const { name, parameters } of algorithms) {
    const [, section = ''] = page.split(`\n### ${name}\n`);
    const rows = section.split('\n\n')[1]?.split('\n').slice(2) ?? [];
    expect(rows.map((row) => row.split(' | ')[0]?.slice(2))).toEqual(
      Object.keys(parameters).map((key) => `\`${key}\``),
    );
  }
  expect(page).toContain('| `zp_errors` | 0.1, 0.1, 0.1, 0.1, 0.1, 0.1 mag | estimate | Added in quadrature');
  expect(page).toContain(
    '| `regression_params` | max\\_depth 8, objective reg:squarederror | inform | The boosted trees,',
  );
  expect(page).toContain('It has no parameters.');
});
