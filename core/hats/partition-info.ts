import { InputError } from '#core/errors.ts';
import { indexRange, type Pixel, pixelCount } from '#core/healpix.ts';

/**
 * The pixels of a HATS catalogue, by its `partition_info.csv`: a line for each partition, with `Norder` and `Npix` among
 * its columns. In sky order.
 *
 * @throws {InputError} `PARTITION_INFO_INVALID`, naming the line: no such columns, no pixel, one deeper than
 *   `highestOrder`, or two of which one holds the other.
 */
export function parsePartitionInfo(csv: string, highestOrder: number): readonly Pixel[] {
  const [head = '', ...lines] = csv.split(/\r?\n/).filter((line) => line.trim() !== '');
  const names = head.split(',').map((name) => name.trim());
  const [order, pixel] = [names.indexOf('Norder'), names.indexOf('Npix')];
  if (order < 0 || pixel < 0) throw invalid('its first line has no columns Norder and Npix');
  if (lines.length === 0) throw invalid('it lists no partition');
  const pixels = lines.map((line, index) => {
    const cells = line.split(',').map((cell) => cell.trim());
    const found = { order: wholeNumber(cells[order]), pixel: wholeNumber(cells[pixel]) };
    if (!(found.pixel < pixelCount(found.order))) throw invalid(`line ${index + 2}, "${line}", is no pixel`);
    if (found.order <= highestOrder) return found;
    throw invalid(
      `line ${index + 2} is at order ${found.order}, beyond campaign.partition.highestOrder, ${highestOrder}`,
    );
  });
  const sorted = pixels.map((each) => ({ each, ...indexRange(each) })).sort((a, b) => (a.from < b.from ? -1 : 1));
  for (const [index, { each, from }] of sorted.entries()) {
    const before = sorted[index - 1];
    if (before && before.to > from) throw invalid(`${name(before.each)} and ${name(each)} overlap`);
  }
  return sorted.map(({ each }) => each);
}

const name = (each: Pixel) => `pixel ${each.pixel} of order ${each.order}`;
const wholeNumber = (text = '') => (/^\d+$/.test(text) ? Number(text) : Number.NaN);

function invalid(what: string): InputError {
  return new InputError(`the list of partitions cannot be used: ${what}`, {
    code: 'PARTITION_INFO_INVALID',
    hint: 'Give the partition_info.csv of the HATS catalogue whose partitions are wanted.',
  });
}
