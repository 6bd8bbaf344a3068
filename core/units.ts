import { ruleFor } from '#core/checks.ts';
import type { Finding } from '#core/integrity.ts';
import type { Profile } from '#core/profile.ts';

/** How files write the units that a profile knows. */
const SPELLINGS = {
  deg: /^(deg|degrees?|°)$/i,
  mag: /^((ab[ _]?)?mag(\(ab\))?|magnitudes?)$/i,
  nJy: /^(nJy|nanojanskys?)$/,
} as const;
type Unit = keyof typeof SPELLINGS;

/** What a profile takes for granted of each of its columns that has a unit. */
export function unitsOf({ ra, dec, ebv, kind, bands }: Profile): ReadonlyMap<string, Unit> {
  const measured: Unit = kind === 'flux' ? 'nJy' : 'mag';
  return new Map<string, Unit>([
    [ra, 'deg'],
    [dec, 'deg'],
    ...(ebv === undefined ? [] : [[ebv, 'mag'] as const]),
    ...Object.values(bands).flatMap(({ value, error }) => [[value, measured] as const, [error, measured] as const]),
  ]);
}

/**
 * The columns of which the file itself says that they have another unit than the profile's. One that says nothing is in
 * order: hardly any object table does.
 * @param said column -> unit, of the file
 * @param waived checks that a person waived for this content; they then only flag it
 */
export function judgeUnits(
  said: ReadonlyMap<string, string>,
  profile: Profile,
  waived: readonly string[],
): readonly Finding[] {
  const wrong = [...unitsOf(profile)].flatMap(([column, wanted]) => {
    const unit = said.get(column)?.trim() ?? '';
    return unit === '' || SPELLINGS[wanted].test(unit) ? [] : [{ column, unit, wanted }];
  });
  const [first] = wrong;
  if (first === undefined) return [];
  const { severity } = ruleFor('COLUMN_UNIT', profile.checks);
  const others = wrong.length === 1 ? '' : `, and ${wrong.length - 1} more columns have another unit too`;
  return [
    {
      code: 'COLUMN_UNIT',
      sentence: `the file says that ${first.column} is in ${first.unit}, the profile ${profile.name} that it is in ${first.wanted}${others}: convert it, or register the release with the profile that fits`,
      severity: severity === 'refuse' && waived.includes('COLUMN_UNIT') ? 'flag' : severity,
      numbers: { columns: wrong.length },
      where: first.column,
    },
  ];
}
