/** What stands in a table for a number that is not there. */
export const MISSING = 'not computed';

/** `12345` as `12,345`. */
export const count = (value: number) => value.toLocaleString('en-US');

/** With a fixed number of decimals and a true minus; the same for every reader. */
export const decimal = (value: number, decimals: number) => value.toFixed(decimals).replace('-', '\u2212');

/** A count as such, anything else with its decimals. */
export const figure = (value: number, decimals: number) => (decimals === 0 ? count(value) : decimal(value, decimals));

/** A share as a percentage, for instance `2.7 %`. */
export const percent = (share: number, decimals = 1) => `${decimal(share * 100, decimals)} %`;

/** `1.5 MB`; sizes are decimal, as in the invoices. */
export function bytes(size: number): string {
  if (size < 1000) return `${size} bytes`;
  return size < 1e6 ? `${decimal(size / 1e3, 1)} kB` : `${decimal(size / 1e6, 1)} MB`;
}
