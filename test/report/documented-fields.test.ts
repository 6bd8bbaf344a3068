import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { agentConfigurationSchema } from '#bridge-agent/configuration.ts';
import { contextFileSchema } from '#cli/context.ts';
import { ponteProgram } from '#cli/program.ts';
import { registrationSchema } from '#core/release.ts';
import { DOCUMENTS, prose, quoted, read, tableRows } from '#test/report/markdown.ts';

/** Verbs that ARCHITECTURE.md says are not there. */
const NOT_YET = ['ponte plan'];

describe('the fields', () => {
  test('of the configuration of an agent are those of docs/site.md', () => {
    expect(documentedFields('docs/site.md', '## Configure')).toEqual(fieldsOf(agentConfigurationSchema));
  });

  test('of a registration are those of docs/operator.md', () => {
    expect(documentedFields('docs/operator.md', '## Register')).toEqual(fieldsOf(registrationSchema));
  });

  test('of the context are those of the example in docs/operator.md', () => {
    const [, json = ''] = /```json\n([\s\S]*?)```/.exec(read('docs/operator.md')) ?? [];

    expect(contextFileSchema.parse(JSON.parse(json)).version).toBe(1);
  });

  test('of the example configuration in docs/site.md are valid, and its defaults are the real ones', () => {
    const [, json = ''] = /```json\n([\s\S]*?)```/.exec(read('docs/site.md')) ?? [];
    const example: unknown = JSON.parse(json.replace('<JobQueueUrl>', 'https://sqs.us-east-1.amazonaws.com/1/jobs'));
    const { limits: _limits, ...rest } = z.record(z.string(), z.unknown()).parse(example);
    const parsed = agentConfigurationSchema.parse(rest);
    const rows = tableRows(section('docs/site.md', '## Configure')).filter(
      ([name = '', value = '']) => /^`(limits|intervals|drain|worker\.module)/.test(name) && value !== '',
    );

    expect(rows.length).toBeGreaterThan(10);
    for (const [names = '', defaults = ''] of rows) {
      const values = quoted(names).map((name) => String(at(parsed, name)));
      expect(values.join(', '), names).toBe(defaults.replaceAll('`', ''));
    }
  });
});

describe('the command lines', () => {
  /** `ponte VERB ...` in a fenced line, or in backticks. */
  const written = DOCUMENTS.flatMap((path) => {
    const text = read(path);
    const fenced = [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)]
      .filter(([, language]) => language === '')
      .flatMap(([, , block = '']) => block.split('\n'));
    return [...fenced, ...quoted(prose(text))]
      .map((line) => line.replace(/^npx /, '').replace(/\s+#.*$/, ''))
      .filter((line) => /^ponte [a-z]/.test(line) && !NOT_YET.includes(line));
  });

  test.each([...new Set(written)])('%s', (line) => {
    const words = line.split(/\s+/).slice(1);
    let command = ponteProgram();
    for (const word of words) {
      const next = command.commands.find((each) => each.name() === word);
      if (!next) break;
      command = next;
    }

    expect(command.commands, 'verbs that could follow').toEqual([]);
    const options = words.filter((word) => word.startsWith('--') && word !== '--help');
    const known = command.options.map(({ long }) => long);
    expect(options.filter((option) => !known.includes(option))).toEqual([]);
  });
});

function section(document: string, heading: string): string {
  return read(document).split(`\n${heading}\n`)[1]?.split('\n## ')[0] ?? '';
}

/** What stands in backticks in the first column of a section's table. */
function documentedFields(document: string, heading: string): readonly string[] {
  return tableRows(section(document, heading))
    .flatMap(([name = '']) => quoted(name))
    .sort();
}

/** The dotted names of a schema's leaves, over all variants of a union. */
function fieldsOf(schema: z.ZodType): readonly string[] {
  const node = z.looseObject({});
  const properties = z.object({ properties: z.record(z.string(), node) });
  const variants = z.object({ oneOf: z.array(node) });
  const walk = (json: unknown, prefix: string): readonly string[] => {
    const object = properties.safeParse(json);
    if (object.success) {
      const step = prefix === '' ? '' : `${prefix}.`;
      return Object.entries(object.data.properties).flatMap(([name, child]) => walk(child, step + name));
    }
    const union = variants.safeParse(json);
    return union.success ? union.data.oneOf.flatMap((child) => walk(child, prefix)) : [prefix];
  };
  return [...new Set(walk(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }), ''))].sort();
}

function at(value: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((each, name) => z.record(z.string(), z.unknown()).parse(each)[name], value);
}
