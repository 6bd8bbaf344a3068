/** Key-value pairs of a HATS `properties` file, in the order they are written. */
export type Properties = Readonly<Record<string, string>>;

/**
 * Writes a properties file as Java defines it: `key=value` lines; a backslash before what would otherwise end the key,
 * the value or the line, and `\uXXXX` for what is not ASCII. Empty values are left out.
 */
export function renderProperties(title: string, properties: Properties): string {
  const lines = Object.entries(properties)
    .filter(([, value]) => value !== '')
    .map(
      ([key, value]) => `${escapeText(key).replaceAll(/[=: #!]/g, '\\$&')}=${escapeText(value).replace(/^ /, '\\ ')}`,
    );
  return [`#${title}`, ...lines, ''].join('\n');
}

/** Reads what `renderProperties` and hats write; later keys win. */
export function parseProperties(text: string): Properties {
  const found: [string, string][] = [];
  for (const line of text.replaceAll(CONTINUATION, '').split(/\r?\n/)) {
    const match = /^\s*(?<key>(?:\\.|[^\\=:\s])+)\s*[=:\s]?\s*(?<value>.*)$/.exec(line);
    if (!match?.groups || /^\s*[#!]/.test(line)) continue;
    found.push([unescapeText(match.groups.key ?? ''), unescapeText(match.groups.value ?? '')]);
  }
  return Object.fromEntries(found);
}

/** A backslash that is not itself escaped, at the end of a line. */
const CONTINUATION = /(?<=(?<!\\)(?:\\\\)*)\\\r?\n[ \t\f]*/g;

function escapeText(text: string): string {
  return text
    .replaceAll('\\', '\\\\')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t')
    .replaceAll(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const CONTROL: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', f: '\f' };

function unescapeText(text: string): string {
  return text.replaceAll(/\\(?:u([0-9a-fA-F]{4})|(.))/g, (_, unit: string | undefined, letter: string | undefined) =>
    unit ? String.fromCharCode(Number.parseInt(unit, 16)) : (CONTROL[letter ?? ''] ?? letter ?? ''),
  );
}
