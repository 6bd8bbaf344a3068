import { z } from 'zod';
import type { Algorithm } from '#core/algorithm.ts';

/** What an astronomer needs to know of a registered configuration to judge or repeat what it gave. */
export const packetConfigurationSchema = z.strictObject({
  title: z.string(),
  references: z.array(z.string()),
  estimator: z.string(),
  packages: z.record(z.string(), z.string()),
  bands: z.array(z.string()),
  referenceBand: z.string(),
  grid: z.strictObject({ zMin: z.string(), zMax: z.string(), points: z.int() }),
  /** AB magnitude limits, where the algorithm uses them, and what becomes of a band without a detection. */
  notDetected: z.strictObject({ limits: z.record(z.string(), z.string()), meaning: z.string() }),
  parameters: z.array(
    z.strictObject({
      name: z.string(),
      value: z.string(),
      unit: z.string().nullable(),
      stages: z.array(z.string()),
      meaning: z.string(),
    }),
  ),
});
export type PacketConfiguration = z.infer<typeof packetConfigurationSchema>;

/** In the order of the registered file, whose texts it takes as they are. */
export function packetConfiguration(algorithm: Algorithm): PacketConfiguration {
  const { title, references, rail, packages, bands, referenceBand, grid, nonDetection } = algorithm;
  const parameters = Object.entries(algorithm.parameters).map(([name, { value, unit, stages, meaning }]) => ({
    name,
    value: valueText(value),
    unit: unit ?? null,
    stages: [...stages],
    meaning,
  }));
  return {
    ...{ title, references: [...references], estimator: `${rail.module}.${rail.estimator}`, packages: { ...packages } },
    ...{ bands: [...bands], referenceBand, grid, parameters },
    notDetected: { limits: { ...nonDetection.limits }, meaning: nonDetection.meaning },
  };
}

type Value = Algorithm['parameters'][string]['value'];

/** Lists by their members, groups of settings as `name value`; decimals are texts already. */
function valueText(value: Value): string {
  if (typeof value !== 'object') return String(value);
  const members: readonly string[] = isList(value)
    ? value.map(valueText)
    : Object.entries(value).map(([name, member]) => `${name} ${valueText(member)}`);
  return members.join(', ');
}

const isList = (value: Value): value is readonly Value[] => Array.isArray(value);
