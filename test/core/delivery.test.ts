import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DELIVERIES, DELIVERY_PREFIX, deliveryKey, deliveryName, deliveryPrefix, markerKey } from '#core/delivery.ts';
import { sha256 } from '#core/digest.ts';

const collections = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,20}$/);
const manifests = fc.string().map(sha256);
/** Few of each, so that the same collection often meets two manifests, and the same manifest two collections. */
const version = fc.record({
  collection: fc.constantFrom('dp0', 'dp0-photoz', 'dp1'),
  manifest: fc.constantFrom('a', 'b', 'c').map(sha256),
});

describe('the name of a delivery', () => {
  it('is one for equal content, and another for another collection or manifest', () => {
    fc.assert(
      fc.property(version, version, (one, two) => {
        const same = one.collection === two.collection && one.manifest === two.manifest;

        const names = [one, two].map(({ collection, manifest }) => deliveryName(collection, manifest));

        expect(names[0] === names[1]).toBe(same);
      }),
    );
  });

  it('is not the same for two collections of which one begins with the other', () => {
    expect(deliveryName('dp0', sha256('m'))).not.toBe(deliveryName('dp0-photoz', sha256('m')));
  });

  it('is the same in every version: published places depend on it', () => {
    // printf '["delivery",{"collection":"dp0-photoz","manifest":"<sha256 of m>"}]' | sha256sum | cut -c1-10
    expect(deliveryName('dp0-photoz', sha256('m'))).toBe('dp0-photoz-e4bd140386');
  });
});

describe('the places of a delivery', () => {
  it('keep the marker out of every version, and the versions apart', () => {
    fc.assert(
      fc.property(collections, manifests, manifests, (collection, first, second) => {
        fc.pre(first !== second);
        const [one, two] = [first, second].map((manifest) =>
          deliveryPrefix(collection, deliveryName(collection, manifest)),
        );

        expect(`${one}/`.startsWith(`${two}/`) || `${two}/`.startsWith(`${one}/`)).toBe(false);
        expect(markerKey(collection).startsWith(`${collection}/versions/`)).toBe(false);
      }),
    );
  });

  it('are those that the documents name', () => {
    expect(deliveryPrefix('dp0', 'dp0-1')).toBe('dp0/versions/dp0-1');
    expect(markerKey('dp0')).toBe('dp0/PUBLISHED.json');
  });

  it('has all deliveries listed together', () => {
    const key = deliveryKey('dp0-1');

    expect(key).toEqual({ pk: DELIVERIES, sk: 'D#dp0-1' });
    expect(key.sk.startsWith(DELIVERY_PREFIX)).toBe(true);
  });
});
