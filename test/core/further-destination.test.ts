import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { furtherExecutionName } from '#core/further-delivery.ts';
import { furtherDestinationsSchema, placeText } from '#core/further-destination.ts';

const good = {
  name: 'us-dac',
  bucket: 'photoz',
  prefix: 'public/',
  region: 'us-east-1',
  endpoint: 'https://s3.example.org',
  credentials: { secret: 'ponte/destinations/us-dac' },
  mebibytesPerSecond: 200,
  checksums: false,
};
const role = { roleArn: 'arn:aws:iam::123456789012:role/ponte-delivery-dac' };

/** What is wrong, by the path of the field. */
const problems = (...all: readonly object[]) =>
  furtherDestinationsSchema.safeParse(all).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ??
  [];

describe('a further destination of a registration', () => {
  it('is taken with a secret or with a role, and with no more than it needs', () => {
    const { endpoint: _endpoint, prefix: _prefix, ...aws } = { ...good, name: 'aws', credentials: role };
    expect(problems(good, aws)).toEqual([]);
  });

  it.each([
    ['both credentials', { credentials: { ...good.credentials, ...role } }, '0.credentials: name a secret or a role'],
    ['no credentials', { credentials: {} }, '0.credentials: name a secret or a role'],
    [
      'a secret of another purpose',
      { credentials: { secret: 'prod/database' } },
      /^0\.credentials\.secret: must be .*ponte\/destinations/,
    ],
    [
      'a role of another purpose',
      { credentials: { roleArn: 'arn:aws:iam::123456789012:role/admin' } },
      /^0\.credentials\.roleArn: must be .*ponte-delivery-/,
    ],
    ['keys themselves', { credentials: { accessKeyId: 'AKIA', secretAccessKey: 'x' } }, /^0\.credentials: /],
    [
      'keys in the endpoint',
      { endpoint: 'https://id:key@s3.example.org' },
      '0.endpoint: must be https, without a user or a query',
    ],
    [
      'an endpoint in plain text',
      { endpoint: 'http://s3.example.org' },
      '0.endpoint: must be https, without a user or a query',
    ],
    ['a prefix without its end', { prefix: 'public' }, '0.prefix: must end with a slash, and not begin with one'],
    ['a name that no execution may have', { name: 'US DAC' }, /^0\.name: must be up to 30/],
    ['a limit of nothing', { mebibytesPerSecond: 0 }, /^0\.mebibytesPerSecond: /],
    ['a field that is not known', { acl: 'public-read' }, /^0: .*acl/],
  ])('is refused with %s', (_what, change, said) => {
    expect(problems({ ...good, ...change })).toContainEqual(
      typeof said === 'string' ? said : expect.stringMatching(said),
    );
  });

  it('is refused twice: by its name, and by its place', () => {
    expect(problems(good, { ...good, bucket: 'other' })).toEqual([': two destinations have one name']);
    expect(problems(good, { ...good, name: 'other' })).toEqual([': two destinations are one place']);
  });

  it('is named to people without its credentials', () => {
    const [place] = furtherDestinationsSchema.parse([good]);
    expect(place && placeText(place)).toBe('s3://photoz/public/ at https://s3.example.org');
  });
});

describe('the execution of a delivery to it', () => {
  it('has a name of its own, with room for the number of a retry', () => {
    const orders = fc.record({
      delivery: fc.constantFrom('dp1_object_photoz-0123456789', 'dp1_object_photoz-0123456780'),
      destination: fc.constantFrom('a', 'b', 'a'.repeat(30)),
    });
    fc.assert(
      fc.property(orders, orders, (one, two) => {
        const names = [one, two].map(furtherExecutionName);

        expect(names[0] === names[1]).toBe(JSON.stringify(one) === JSON.stringify(two));
        expect(`${names[0]}-r20`).toMatch(/^[a-z0-9-]{1,80}$/);
      }),
    );
  });
});
