import { z } from 'zod';

/** `refuse`: the chunk goes to quarantine. `flag`: it is used, and the report points at it. `note`: for the record. */
export const SEVERITIES = ['refuse', 'flag', 'note'] as const;
export type Severity = (typeof SEVERITIES)[number];

/**
 * What is measured of the values, each as a share of something, with the share up to which it is in order. A survey
 * changes severity or limit in its profile; what the derivation itself needs (the right bytes, columns, keys) always refuses.
 */
export const VALUE_CHECKS = {
  /** Nobody said which bytes were meant: damage that leaves a file readable would go unnoticed. 1 where so, else 0. */
  UNVERIFIED: { severity: 'refuse', limit: 0 },
  /** Columns of which the file itself says another unit than the profile. */
  COLUMN_UNIT: { severity: 'refuse', limit: 0 },
  /** Rows without a number in a band: null, NaN or infinite. A survey that ends part-way through a tract has many. */
  BAND_EMPTY: { severity: 'flag', limit: 0.9 },
  /** Rows that are a sentinel or a flux that is not positive: "not detected". */
  BAND_NOT_DETECTED: { severity: 'note', limit: 0.9 },
  /** Detected rows outside 5 to 40 mag: brighter than Vega's neighbours, fainter than any survey; a wrong unit. */
  MAGNITUDE_RANGE: { severity: 'refuse', limit: 0.01 },
  /** Rows with a value and an error that is not positive and finite. */
  ERROR_UNUSABLE: { severity: 'flag', limit: 0.01 },
  /** Least correlation of magnitude and log error: below it, errors of another column or unit. */
  ERROR_RELATION: { severity: 'refuse', limit: 0 },
  /** Rows without a usable E(B-V), finite and 0 or more. */
  EBV_UNUSABLE: { severity: 'refuse', limit: 0 },
  /** Rows outside the box of their tract, of those whose tract has a box: coordinates of another object. */
  OUTSIDE_TRACT: { severity: 'refuse', limit: 0 },
  /** Rows whose tract has no box, or that have no tract. */
  TRACT_UNKNOWN: { severity: 'flag', limit: 0 },
  /** Rows that are not primary: they are duplicates of objects in a neighbour. */
  NOT_PRIMARY: { severity: 'flag', limit: 0.5 },
  /** Rows with a separator that are extended, too few: half the sky below 20 mag are galaxies. */
  FEW_EXTENDED: { severity: 'flag', limit: 0.05 },
} as const satisfies Record<string, { severity: Severity; limit: number }>;
export type ValueCheck = keyof typeof VALUE_CHECKS;

const isValueCheck = (name: string): name is ValueCheck => name in VALUE_CHECKS;
export const VALUE_CHECK_NAMES = Object.keys(VALUE_CHECKS).filter(isValueCheck);

/**
 * What is measured of a release as a whole, in its report. No chunk is to blame, so none is refused: a profile may change
 * the limit, or make a note of what is flagged.
 */
export const RELEASE_CHECKS = {
  /** Magnitudes that a chunk's depth differs from the median by; and five standard deviations. */
  DEPTH_DRIFT: { severity: 'flag', limit: 0.3 },
  /** Objects that two chunks both have. */
  ID_SHARED: { severity: 'flag', limit: 0 },
} as const satisfies Record<string, { severity: Severity; limit: number }>;
export type ReleaseCheck = keyof typeof RELEASE_CHECKS;

const isReleaseCheck = (name: string): name is ReleaseCheck => name in RELEASE_CHECKS;
export const RELEASE_CHECK_NAMES = Object.keys(RELEASE_CHECKS).filter(isReleaseCheck);

/** In a profile: check -> what is different for this survey. */
export const checkOverridesSchema = z.partialRecord(
  z.enum(VALUE_CHECK_NAMES),
  z.strictObject({ severity: z.enum(SEVERITIES).exactOptional(), limit: z.number().min(0).max(1).exactOptional() }),
);
export type CheckOverrides = z.infer<typeof checkOverridesSchema>;

export const releaseCheckOverridesSchema = z.partialRecord(
  z.enum(RELEASE_CHECK_NAMES),
  z.strictObject({ severity: z.enum(['flag', 'note']).exactOptional(), limit: z.number().min(0).exactOptional() }),
);
export type ReleaseCheckOverrides = z.infer<typeof releaseCheckOverridesSchema>;

export interface CheckRule {
  readonly severity: Severity;
  readonly limit: number;
}

export function ruleFor(check: ValueCheck, overrides: CheckOverrides | undefined): CheckRule {
  const own = overrides?.[check];
  return {
    severity: own?.severity ?? VALUE_CHECKS[check].severity,
    limit: own?.limit ?? VALUE_CHECKS[check].limit,
  };
}

export function releaseRuleFor(check: ReleaseCheck, overrides: ReleaseCheckOverrides | undefined): CheckRule {
  return { ...RELEASE_CHECKS[check], ...overrides?.[check] };
}
