import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asDigest, type Canonical, canonicalJson, digestOf, isDigest, sha256 } from '#core/digest.ts';

const { value } = fc.letrec<{ value: Canonical }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.string({ unit: 'binary' }),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => (Object.is(number, -0) ? 0 : number)),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie('value'), { maxKeys: 4, noNullPrototype: true }),
  ),
}));

/** The same value with the fields of every object in the opposite order. */
function turned(of: Canonical): Canonical {
  if (of === null || typeof of !== 'object') return of;
  if (Array.isArray(of)) return of.map((item: Canonical) => turned(item));
  return Object.fromEntries(
    Object.entries(of)
      .reverse()
      .map(([key, field]): [string, Canonical] => [key, turned(field)]),
  );
}

describe('canonicalJson', () => {
  it('can be read back, so two different values never give one text', () => {
    fc.assert(
      fc.property(value, (any) => {
        expect(JSON.parse(canonicalJson(any))).toEqual(any);
      }),
    );
  });

  it('does not depend on the order of fields', () => {
    fc.assert(
      fc.property(value, (any) => {
        expect(canonicalJson(turned(any))).toBe(canonicalJson(any));
      }),
    );
  });

  it('depends on the order of a list', () => {
    expect(canonicalJson(['a', 'b'])).not.toBe(canonicalJson(['b', 'a']));
  });

  it.each([
    [['a', 'b'], ['a,b']],
    [
      ['a"', 'b'],
      ['a', '"b'],
    ],
    [{ a: 'b' }, { 'a":"b': '' }],
    [{ a: 1 }, { a: '1' }],
    [{ a: null }, {}],
    [[[], []], [[[]]]],
    [0, false],
  ] satisfies [Canonical, Canonical][])('frames what it joins: %j is not %j', (one, other) => {
    expect(canonicalJson(one)).not.toBe(canonicalJson(other));
  });

  it.each([
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ])('refuses %d, which JSON has not', (number) => {
    expect(() => canonicalJson({ list: [number] })).toThrow(TypeError);
  });

  it('is the same text in every version: names of stored objects depend on it', () => {
    expect(canonicalJson({ b: [1, 2.5, 1e21, -0], a: { é: 'line\n', Z: null, a: true } })).toBe(
      '{"a":{"Z":null,"a":true,"é":"line\\n"},"b":[1,2.5,1e+21,0]}',
    );
    // printf '["chunk",{"name":"x"}]' | sha256sum
    expect(digestOf('chunk', { name: 'x' })).toBe('287627998f397df7dbc33a252826bcab3c6306291962863a9418621915faee30');
  });
});

describe('digestOf', () => {
  it('separates kinds', () => {
    expect(digestOf('part', { id: 'x' })).not.toBe(digestOf('model', { id: 'x' }));
    expect(digestOf('part', {})).not.toBe(sha256('{}'));
  });
});

describe('asDigest', () => {
  it.each(['', 'abc', 'G'.repeat(64), 'A'.repeat(64), 'a'.repeat(63), `${'a'.repeat(64)}\n`])('refuses %j', (text) => {
    expect(isDigest(text)).toBe(false);
    expect(() => asDigest(text)).toThrow(TypeError);
  });

  it('takes what sha256 gives', () => {
    expect(asDigest(sha256(''))).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  });
});
