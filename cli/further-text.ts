import type { FurtherDelivery } from '#core/further-delivery.ts';
import { placeText } from '#core/further-destination.ts';

/** One line for a delivery at a further destination, and a second where it failed. */
export function furtherText(each: FurtherDelivery): string {
  const { destination, place, state, checkedFiles, files, deliveredAt, failure } = each;
  const how = {
    delivering: `${checkedFiles} of ${files} files are there`,
    delivered: `public since ${deliveredAt}`,
    failed: `failed after ${checkedFiles} of ${files} files`,
  }[state];
  return `${destination}, ${placeText(place)}: ${how}${failure ? `\n    ${failure}` : ''}`;
}

/** The command that mends the first that failed. */
export function furtherNext(further: readonly FurtherDelivery[]): string | null {
  const failed = further.find(({ state }) => state === 'failed');
  return failed ? `ponte redeliver ${failed.delivery} ${failed.destination}` : null;
}
