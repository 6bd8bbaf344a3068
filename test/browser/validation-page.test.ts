import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { validationPage } from '#core/report/validation-page.ts';
import { ensureChromium } from '#local/chromium.ts';
import { Browser, type View } from '#test/browser/browser.ts';
import { HEADING_LEVELS, OVERFLOWS, PALE_TEXTS } from '#test/browser/page-checks.ts';
import { makeReport } from '#test/report/report-fixture.ts';

/** Holds the pages and their pictures after the test, for a person to look at. */
const FOLDER = join(import.meta.dirname, '..', '..', '.ponte', 'test-browser');

let said = '';
const chromium = await ensureChromium((line) => {
  said = line;
  console.log(line);
});
const title = 'the validation page in a browser';

describe.skipIf(chromium === null)(chromium === null ? `${title}: ${said}` : title, () => {
  const url = pathToFileURL(join(FOLDER, 'validation.html')).href;
  let browser: Browser;

  beforeAll(async () => {
    await mkdir(FOLDER, { recursive: true });
    await writeFile(join(FOLDER, 'validation.html'), validationPage(makeReport()));
    browser = await Browser.start(chromium ?? '');
  });
  afterAll(async () => {
    await browser.close();
  });

  const views: readonly (View & { readonly name: string })[] = [
    { name: 'light', width: 1100, height: 900, scheme: 'light' },
    { name: 'dark', width: 1100, height: 900, scheme: 'dark' },
    { name: 'narrow', width: 400, height: 800, scheme: 'light' },
    { name: 'narrow-dark', width: 400, height: 800, scheme: 'dark' },
  ];

  test.each(views)('$name: fits the window, is readable, and complains of nothing', async ({ name, ...view }) => {
    await browser.open(url, view);
    await browser.evaluate(`document.querySelectorAll('details').forEach((each) => { each.open = true; })`);
    await browser.screenshot(join(FOLDER, `${name}.png`));

    expect(await browser.evaluate(OVERFLOWS)).toBe(false);
    expect(await browser.evaluate(PALE_TEXTS)).toEqual([]);
    const complaints = ['Log.entryAdded', 'Runtime.exceptionThrown', 'Runtime.consoleAPICalled'];
    expect(browser.events.filter(({ method }) => method && complaints.includes(method))).toEqual([]);
  });

  test('follows the reader: its paper is light or dark', async () => {
    const paper = async (scheme: View['scheme']) => {
      await browser.open(url, { width: 800, height: 600, scheme });
      return browser.evaluate('getComputedStyle(document.body).backgroundColor');
    };

    expect(await paper('light')).toBe('rgb(255, 255, 255)');
    expect(await paper('dark')).toBe('rgb(20, 24, 29)');
  });

  test('asks the network for nothing but itself', async () => {
    await browser.open(url, { width: 800, height: 600, scheme: 'light' });

    const requested = browser.events.filter(({ method }) => method === 'Network.requestWillBeSent');
    expect(requested.map(({ params }) => z.object({ url: z.string() }).parse(params?.request).url)).toEqual([url]);
  });

  test('runs no script, even when one gets in', async () => {
    const path = join(FOLDER, 'with-script.html');
    const hostile = '<script>document.title = "changed"</script><img src="x" onerror="document.title = \'changed\'">';
    await writeFile(path, validationPage(makeReport()).replace('</main>', `${hostile}</main>`));

    await browser.open(pathToFileURL(path).href, { width: 800, height: 600, scheme: 'light' });

    expect(await browser.evaluate('document.title')).toBe('Validation: A release for tests');
  });

  test('speaks: headings in order, charts with a name and a description, tables with headers', async () => {
    await browser.open(url, { width: 800, height: 600, scheme: 'light' });
    const levels = z.array(z.int()).parse(await browser.evaluate(HEADING_LEVELS));
    const { nodes } = await browser.send('Accessibility.getFullAXTree');
    const property = z.object({ value: z.json() }).optional();
    const tree = z
      .array(z.object({ ignored: z.boolean(), role: property, name: property, description: property }))
      .parse(nodes)
      .filter(({ ignored }) => !ignored);

    expect(levels[0]).toBe(1);
    for (const [index, level] of levels.entries()) expect(level).toBeLessThanOrEqual((levels[index - 1] ?? 0) + 1);
    const images = tree.filter(({ role }) => role?.value === 'image').map(({ name }) => String(name?.value));
    expect(images).toHaveLength(8);
    expect(images[0]).toMatch(/^PIT histogram of bpz .*objects per bin/);
    const roles = tree.map(({ role }) => role?.value);
    expect(roles.filter((role) => role === 'columnheader')).toHaveLength(19);
    expect(roles.filter((role) => role === 'rowheader')).toHaveLength(35);
  });
});
