/**
 * The three currencies of a campaign, in whole numbers so that rounding loses nothing: the control plane in
 * micro-dollars (1e-6 USD), the site's computing in core-seconds, what leaves the cloud in bytes. They are never summed.
 */
export const CURRENCIES = ['microUsd', 'coreSeconds', 'egressBytes'] as const;
export type Currency = (typeof CURRENCIES)[number];
export type Amount = Readonly<Record<Currency, number>>;

/** One number for each currency. */
export const amountOf = (value: (currency: Currency) => number): Amount => ({
  microUsd: value('microUsd'),
  coreSeconds: value('coreSeconds'),
  egressBytes: value('egressBytes'),
});

export const NOTHING: Amount = amountOf(() => 0);

/** A cap nothing reaches: 9e9 USD, 2.9e8 years of a core, 9 PB; sums below it are exact. */
const UNCAPPED = Number.MAX_SAFE_INTEGER;

/** Caps with the currencies that nobody capped filled in. */
export const withoutGaps = (caps: { readonly [C in Currency]?: number | undefined }): Amount =>
  amountOf((currency) => caps[currency] ?? UNCAPPED);

export const isCapped = (cap: number) => cap < UNCAPPED;

/** `0.0042 USD, 3.2 core-hours, 1.50 GB out`: side by side, never as one figure. */
export function amountText(amount: Amount): string {
  const { microUsd, coreSeconds, egressBytes } = amount;
  return [
    isCapped(microUsd) ? `${(microUsd / 1e6).toFixed(4)} USD` : 'any USD',
    isCapped(coreSeconds) ? `${(coreSeconds / 3600).toFixed(3)} core-hours` : 'any core-hours',
    isCapped(egressBytes) ? `${(egressBytes / 1e9).toFixed(3)} GB out` : 'any GB out',
  ].join(', ');
}
