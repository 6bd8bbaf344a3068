import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ponteProgram } from '#cli/program.ts';
import { ponte } from '#test/e2e/verbs.ts';

const home = mkdtempSync(join(tmpdir(), 'ponte-cli-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** Every verb that does something, by its words. */
function verbs(command: Command, words: readonly string[] = []): [string, Command][] {
  if (command.commands.length === 0) return [[words.join(' '), command]];
  return command.commands.flatMap((sub) => verbs(sub, [...words, sub.name()]));
}
const all = verbs(ponteProgram());

describe('the verbs of ponte', () => {
  it('has those that an operator needs', () => {
    expect(all.map(([words]) => words)).toEqual(
      expect.arrayContaining([
        ...[
          'local up',
          'local down',
          'local reset',
          'local status',
          'release register',
          'release show',
          'upload',
          'chunks',
        ],
        ...[
          'campaign start',
          'campaign watch',
          'campaign report',
          'approve',
          'deliveries',
          'fetch',
          'verify',
          'agent run',
        ],
      ]),
    );
  });

  it.each(all)('%s takes --json and shows an example', (words, command) => {
    const written: string[] = [];
    command.configureOutput({ writeOut: (text) => written.push(text) });

    command.outputHelp();

    expect(command.options.map((option) => option.long)).toContain('--json');
    expect(written.join('')).toContain(`Example:\n  ponte ${words}`);
  });

  it.each([
    [['chunks', 'nowhere'], 'NO_CLOUD'],
    [['release', 'register', 'missing.json'], 'NO_CLOUD'],
    [['verify', join(home, 'missing')], 'UNEXPECTED|FOLDER'],
    [['agent', 'run', '--config', join(home, 'missing.json')], 'CONFIGURATION_UNREADABLE'],
  ])('%j says what is wrong, in words and as JSON, and ends with a status', async (args, code) => {
    const words = await ponte(home, ...args);
    const json = await ponte(home, ...args, '--json');

    expect(words.status).toBe(1);
    expect(words.stderr).toMatch(/^error: .+\n {2}\S.+/);
    expect(words.stderr).not.toMatch(/\n\s+at /);
    expect(json.status).toBe(1);
    const { error } = z
      .object({ error: z.object({ code: z.string(), hint: z.string() }) })
      .parse(JSON.parse(json.stdout));
    expect(error.code).toMatch(new RegExp(code));
  });

  it('refuses a verb that is none', async () => {
    const said = await ponte(home, 'deliver-everything');

    expect(said.status).toBe(1);
    expect(said.stderr).toContain("unknown command 'deliver-everything'");
  });
});
