import { expect, test } from 'vitest';
import { packetDocuments } from '#core/hats/packet-documents.ts';
import { publicationSchema } from '#core/publication.ts';
import { PACKET_FACTS, SHAPE } from '#test/hats/synthetic-catalogue.ts';

const publication = {
  licence: 'CC-BY-4.0',
  documentation: 'https://photoz.example.org/tables',
  repositories: ['https://git.example.org/ponte'],
  contacts: [
    { name: 'A. Sousa', email: 'a.sousa@example.org' },
    { name: 'B. Lima', email: 'b.lima@example.org' },
  ],
};

test('a publication with one contact is refused in a sentence', () => {
  const parsed = publicationSchema.safeParse({ ...publication, contacts: publication.contacts.slice(1) });

  expect(parsed.error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)).toEqual([
    'contacts: must name at least two people, as the guidelines of the Science Platform ask',
  ]);
});

test.each(['README.md', 'DELIVERY_NOTE.md'])('%s says who answers, under what licence, and what is missing', (path) => {
  const facts = { ...PACKET_FACTS, rows: 6000, partitions: 15 };

  const whole = packetDocuments({ ...facts, publication }, SHAPE)[path];
  const without = packetDocuments(facts, SHAPE)[path];

  for (const words of ['CC-BY-4.0', 'A. Sousa', 'b.lima@example.org', 'https://git.example.org/ponte', '6000']) {
    expect(whole).toContain(words);
  }
  expect(whole).not.toContain('**Missing.**');
  expect(without).toContain('**Missing.** The registration has no `publication`');
});
