import fc from 'fast-check';
import { expect, test } from 'vitest';
import { html } from '#core/report/html.ts';

test('no text leaves its element or its attribute, whatever it holds', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const { text: markup } = html`<p title="${text}">${text}</p>`;
      const [, attribute, content] = /^<p title="([^"<>]*)">([^<>]*)<\/p>$/.exec(markup) ?? [];
      expect(decoded(attribute)).toBe(text);
      expect(decoded(content)).toBe(text);
    }),
  );
});

test('markup inside markup stays markup, and nothing stays nothing', () => {
  const items = ['a', '<b>'].map((text) => html`<li>${text}</li>`);

  expect(html`<ul>${items}${null}</ul>${2}`.text).toBe('<ul><li>a</li><li>&lt;b&gt;</li></ul>2');
});

/** As a browser reads it; the five entities are all that the module writes. */
function decoded(markup: string | undefined): string | undefined {
  const characters: Record<string, string> = { lt: '<', gt: '>', quot: '"', '#39': "'", amp: '&' };
  return markup?.replace(/&(lt|gt|quot|#39|amp);/g, (_, name: string) => characters[name] ?? '');
}
