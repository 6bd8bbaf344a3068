import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeFolder } from '#adapters/folder.ts';
import { Journal } from '#adapters/journal.ts';
import { LocalScheduler } from '#adapters/local-scheduler.ts';

let root = '';
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'ponte-folder-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

it('makes what is missing, and leaves what is there', () => {
  const path = join(root, 'a', 'b', 'c');
  makeFolder(path);
  writeFileSync(join(path, 'file'), '');
  makeFolder(path);

  expect(statSync(join(path, 'file')).isFile()).toBe(true);
});

it('says which folder cannot be made and why, where a file is in the way', () => {
  writeFileSync(join(root, 'file'), '');

  expect(() => makeFolder(join(root, 'file', 'below'))).toThrow(
    expect.objectContaining({ code: 'FOLDER_NOT_MADE', message: expect.stringContaining(join(root, 'file', 'below')) }),
  );
});

it.each([
  ['journal', (path: string) => new Journal({ path: join(path, 'agent.sqlite'), clock: { now: () => new Date(0) } })],
  [
    'built-in scheduler',
    (stateFolder: string) => new LocalScheduler({ stateFolder, maxProcesses: 1, launcher: '/bin/true' }),
  ],
])('ends with that, and does not hang, where a %s is to lie below /proc', (_what, open) => {
  expect(() => open('/proc/ponte/x')).toThrow(expect.objectContaining({ code: 'FOLDER_NOT_MADE' }));
});
