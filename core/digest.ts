import { createHash } from 'node:crypto';

declare const digestBrand: unique symbol;

/** A sha256 as 64 lower-case hexadecimal digits. */
export type Digest = string & { readonly [digestBrand]: 'Digest' };

const DIGEST = /^[0-9a-f]{64}$/;

export function isDigest(text: string): text is Digest {
  return DIGEST.test(text);
}

/** @throws {TypeError} when `text` is not 64 lower-case hexadecimal digits. */
export function asDigest(text: string): Digest {
  if (!isDigest(text)) throw new TypeError(`not a sha256 digest: ${JSON.stringify(text.slice(0, 80))}`);
  return text;
}

export function sha256(bytes: Uint8Array | string): Digest {
  return asDigest(createHash('sha256').update(bytes).digest('hex'));
}

export type Canonical = string | number | boolean | null | readonly Canonical[] | { readonly [key: string]: Canonical };

/**
 * One text for one value: object keys sorted by code unit, no white space, every string JSON-quoted. Two different
 * values never give the same text, because JSON frames each of them.
 * @throws {TypeError} for a number that JSON cannot hold (NaN, infinities).
 */
export function canonicalJson(value: Canonical): string {
  if (typeof value === 'number' && !Number.isFinite(value)) throw new TypeError(`cannot frame the number ${value}`);
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${canonicalJson(field)}`).join(',')}}`;
}

/** Narrows a read-only array, which `Array.isArray` alone does not. */
function isArray(value: Canonical): value is readonly Canonical[] {
  return Array.isArray(value);
}

/**
 * The digest of a named set of fields. `kind` separates the namespaces, so that a part and a model made from the same
 * fields cannot share a name.
 */
export function digestOf(kind: string, fields: { readonly [key: string]: Canonical }): Digest {
  return sha256(canonicalJson([kind, fields]));
}
