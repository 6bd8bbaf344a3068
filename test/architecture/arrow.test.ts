import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { run } from '#local/process.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/** What each zone may import besides its own files: aliases of our zones, and packages. */
const ALLOWED: Readonly<Record<string, { readonly zones: readonly string[]; readonly packages: RegExp }>> = {
  core: { zones: ['core', 'schemas'], packages: /^(zod|node:crypto)$/ },
  adapters: { zones: ['core', 'adapters'], packages: /^(zod|node:.+|@aws-sdk\/.+|@duckdb\/node-api|yaml)$/ },
  functions: {
    zones: ['core', 'adapters', 'functions'],
    packages: /^(zod|node:.+|@middy\/core|@aws-sdk\/.+|@aws-lambda-powertools\/.+)$/,
  },
  'bridge-agent': { zones: ['core', 'adapters', 'bridge-agent'], packages: /^(zod|node:.+|pino|@aws-sdk\/.+)$/ },
  cli: { zones: ['core', 'adapters', 'bridge-agent', 'cli'], packages: /^(zod|node:.+|commander|@aws-sdk\/.+)$/ },
  infra: { zones: ['core', 'infra'], packages: /^(node:.+|aws-cdk-lib(\/.+)?|constructs|esbuild)$/ },
};

/** `ponte local` is the one verb whose subject is this machine. */
const MAY_USE_LOCAL = ['cli/commands/local.ts'];

interface Source {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly string[];
}

let tracked: readonly string[];
let sources: readonly Source[];

beforeAll(async () => {
  const listed = await run(['git', 'ls-files', '--cached', '--others', '--exclude-standard'], { cwd: ROOT });
  tracked = listed.split('\n').filter(Boolean);
  sources = tracked.filter((path) => path.endsWith('.ts')).flatMap(readSource);
});

function readSource(path: string): Source[] {
  try {
    const text = readFileSync(join(ROOT, path), 'utf8');
    const imports = [
      ...text.matchAll(/^(?:import|export)\s[^;]*?from '([^']+)'|^import '([^']+)'|import\('([^']+)'\)/gm),
    ];
    return [{ path, text, imports: imports.map((found) => found[1] ?? found[2] ?? found[3] ?? '') }];
  } catch {
    // Deleted in the working tree and not yet in git.
    return [];
  }
}

const zoneOf = (path: string) => path.split('/')[0] ?? '';

describe('the arrow of dependencies', () => {
  it.each(Object.keys(ALLOWED))('%s imports only what it may', (zone) => {
    const rule = ALLOWED[zone];
    const own = sources.filter((source) => zoneOf(source.path) === zone && !MAY_USE_LOCAL.includes(source.path));

    const wrong = own.flatMap(({ path, imports }) =>
      imports
        .filter((name) =>
          name.startsWith('#') ? !rule?.zones.includes(zoneOf(name.slice(1))) : !rule?.packages.test(name),
        )
        .map((name) => `${path} imports ${name}`),
    );

    expect(own.length).toBeGreaterThan(5);
    expect(wrong).toEqual([]);
  });

  it('lets nothing but what runs on this machine and one verb know that the cloud may be local', () => {
    const knowing = sources
      .filter(
        ({ path }) => !['local', 'test', 'bench', 'chaos'].includes(zoneOf(path)) && !MAY_USE_LOCAL.includes(path),
      )
      .filter(({ imports }) => imports.some((name) => name.startsWith('#local/') || name.startsWith('#test/')));

    expect(knowing.map(({ path }) => path)).toEqual([]);
  });

  it('keeps the clock, the environment and chance out of the core', () => {
    const impure = /\bprocess\.(env|argv|cwd)|\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\brandomUUID\b|\bfetch\(/;
    const wrong = sources.filter(({ path, text }) => zoneOf(path) === 'core' && impure.test(text));

    expect(wrong.map(({ path }) => path)).toEqual([]);
  });
});

describe('the rules of the house', () => {
  it('has no cast but `as const`, no `any` and no suppression', () => {
    const others = sources.filter(({ path }) => path !== 'test/architecture/arrow.test.ts');
    const wrong = others.flatMap(({ path, text }) =>
      [...codeOf(text).matchAll(/[^\n]*(?:[\w)\]}>] as (?!const\b)\w|: any\b|<any>)[^\n]*/g)]
        .map(([line]) => line.trim())
        .filter((line) => !/^(import|export)\b|^(type )?\w+ as \w+,?$/.test(line))
        .map((line) => `${path}: ${line}`),
    );
    const suppressed = sources.filter(({ text }) => /^\s*\/\/ @ts-(ignore|expect-error|nocheck)/m.test(text));

    expect(wrong).toEqual([]);
    expect(suppressed.map(({ path }) => path)).toEqual([]);
  });

  it('has no file over 250 lines outside the tests', () => {
    const long = sources.filter(({ path, text }) => zoneOf(path) !== 'test' && text.split('\n').length > 251);

    expect(long.map(({ path }) => path)).toEqual([]);
  });

  it('has no default export', () => {
    const wrong = sources.filter(({ path, text }) => path !== 'vitest.config.ts' && /^export default /m.test(text));

    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  it('names no path of a machine and no host of a package registry', () => {
    const forbidden = new RegExp(
      [
        '(?<![\\w.])/' + 'work/',
        '(?<![\\w.])/' + 'root/',
        'registry\\.' + 'npmjs',
        'pypi\\.' + 'org',
        'deb\\.' + 'debian',
      ].join('|'),
    );
    const texts = tracked.filter((path) => /\.(ts|mjs|py|json|md|sh|txt|yaml)$|^\.ci\/run$/.test(path));

    const wrong = texts.filter((path) => {
      try {
        return forbidden.test(readFileSync(join(ROOT, path), 'utf8'));
      } catch {
        return false;
      }
    });

    expect(texts.length).toBeGreaterThan(100);
    expect(wrong).toEqual([]);
  });
});

/** The text without comments and without what stands in quotes, where "as" is English or SQL. */
function codeOf(text: string): string {
  return text
    .replace(/\/\*.*?\*\//gs, '')
    .replace(/`(?:[^`\\]|\\.)*`/gs, '``')
    .replace(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, "''")
    .replace(/\/\/.*$/gm, '');
}
