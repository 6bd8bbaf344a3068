import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ancillaryKey } from '#core/ancillary.ts';
import { approvalKey } from '#core/approval.ts';
import { campaignIndexKey, campaignKey } from '#core/campaign.ts';
import { chunkKey, partKey, pointerKey } from '#core/chunk.ts';
import { deliveryKey } from '#core/delivery.ts';
import { sha256 } from '#core/digest.ts';
import { FINDING_CODES } from '#core/integrity.ts';
import { keyNumbersKey } from '#core/key-numbers.ts';
import { ledgerKey } from '#core/ledger.ts';
import { expectedKey, releaseKey } from '#core/release.ts';
import { estimateRowKey, workKeyOf } from '#core/work.ts';
import { GENERATED_DOCUMENTS, regenerated } from '#local/generated.ts';
import { anchors, DOCUMENTS, prose, quoted, ROOT, read, tableRows } from '#test/report/markdown.ts';

/** Folders and files at the top of the repository, by which a path in a text is known as one. */
const PATH = /^(core|adapters|functions|bridge-agent|cli|infra|schemas|local|test|docs)\/[A-Za-z0-9_./-]+$/;

describe.each(DOCUMENTS)('%s', (document) => {
  const text = read(document);

  test('links to documents and headings that exist', () => {
    const links = [...prose(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
    for (const link of links.filter((each) => !each.startsWith('http'))) {
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? document : normalize(join(dirname(document), path));

      expect(existsSync(join(ROOT, target)), `${link} of ${document}`).toBe(true);
      if (anchor !== undefined) expect(anchors(read(target)), link).toContain(anchor);
    }
  });

  test('names files and folders that exist', () => {
    const named = quoted(prose(text)).filter((each) => PATH.test(each));

    expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });
});

describe('ARCHITECTURE.md', () => {
  const DIGEST = sha256('any');
  const keys = [
    releaseKey('{release}'),
    expectedKey('{release}', '{name}'),
    chunkKey('{release}', DIGEST),
    pointerKey('{release}', '{name}'),
    partKey('{release}', DIGEST, 7),
    campaignIndexKey('{release}', '{campaign}'),
    campaignKey('{campaign}'),
    ledgerKey('{campaign}'),
    approvalKey('{campaign}'),
    estimateRowKey('{campaign}', DIGEST, '{algorithm}'),
    workKeyOf(DIGEST),
    keyNumbersKey('{release}'),
    ancillaryKey(DIGEST),
    deliveryKey('{delivery}'),
  ];

  test.each(keys)('has the row with the key $pk $sk', (key) => {
    const pattern = (text: string) =>
      text
        .replaceAll(DIGEST, '{}')
        .replace('000007', '{}')
        .replaceAll(/\{(chunkId|partId|workKey|index|sha256)\}/g, '{}');
    const rows = tableRows(read('ARCHITECTURE.md')).map(([pk = '', sk = '']) => [pattern(pk), pattern(sk)]);

    expect(rows).toContainEqual([`\`${pattern(key.pk)}\``, `\`${pattern(key.sk)}\``]);
  });
});

describe('docs/runbook.md', () => {
  test('explains every code that refuses a chunk', () => {
    const [, section = ''] = read('docs/runbook.md').split('## ChunksQuarantined');
    const codes = tableRows(section.split('\n## ')[0] ?? '').flatMap(([code = '']) => quoted(code));

    expect(codes.toSorted()).toEqual([...FINDING_CODES].sort());
  });
});

describe('what is made from code and schemas', () => {
  test.each(GENERATED_DOCUMENTS)('is in %s as it would be made now', (path) => {
    const text = read(path);

    expect(text, `${path} is behind the code: run \`npm run generate\``).toBe(regenerated(path, text));
  });

  test('comes back into its place, and into no other', () => {
    const [path = ''] = GENERATED_DOCUMENTS;
    const text = read(path);
    const spoilt = text.replace(/^\| `objectId` .*$/m, '| `objectId` | text | | | another thing |');

    expect(spoilt).not.toBe(text);
    expect(regenerated(path, spoilt)).toBe(text);
    expect(() => regenerated(path, text.replace('<!-- flags: begin -->', ''))).toThrow(/no place for "flags"/);
  });
});

describe('docs/adr', () => {
  test('every decision is listed, under its own title', () => {
    const decisions = DOCUMENTS.filter((path) => /^docs\/adr\/\d{4}-/.test(path));
    const lines = decisions.map(
      (path) => `- [${read(path).split('\n')[0]?.slice(2)}](${path.slice('docs/adr/'.length)})`,
    );

    expect(
      read('docs/adr/README.md')
        .split('\n')
        .filter((line) => line.startsWith('- ')),
    ).toEqual(lines);
  });
});

describe('README.md', () => {
  test('is one screen, with one picture', () => {
    const text = read('README.md');

    expect(text.split('\n').length).toBeLessThanOrEqual(70);
    expect(text.match(/```mermaid/g)).toHaveLength(1);
  });
});
