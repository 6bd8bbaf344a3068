import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openCloud } from '#cli/context.ts';
import { ROOT } from '#cli/home.ts';
import { readJson } from '#cli/operations/read-json.ts';
import { algorithmSchema, configurationDigest } from '#core/algorithm.ts';
import { sha256 } from '#core/digest.ts';
import { InputError, PonteError } from '#core/errors.ts';
import type { JobSpec } from '#core/job-order.ts';
import { type Forecast, forecast, forecastSiteSchema } from '#core/plan/forecast.ts';
import type { Table } from '#core/table.ts';

export interface ForecastRequest {
  readonly objects: number;
  readonly site: string;
  /** Whose history counts: the name of a profile. */
  readonly profile: string;
  /** All registered ones when empty. */
  readonly algorithms: readonly string[];
}

export async function forecastCampaign(request: ForecastRequest): Promise<Forecast> {
  const site = await readJson(await schemaFile('sites', request.site), forecastSiteSchema, 'SCHEMA_INVALID');
  const names = request.algorithms.length > 0 ? request.algorithms : await known('algorithms');
  const algorithms: Record<string, JobSpec['algorithms'][string]> = {};
  for (const name of names) {
    const algorithm = await readJson(await schemaFile('algorithms', name), algorithmSchema, 'SCHEMA_INVALID');
    algorithms[name] = {
      configurationDigest: configurationDigest(algorithm),
      secondsPerThousandRows: Number(algorithm.resources.secondsPerThousandRows),
      informSeconds: Number(algorithm.resources.informSeconds),
    };
  }
  const environment = await readFile(join(ROOT, 'bridge-agent', 'rail', 'requirements.txt'), 'utf8');
  const spec = { release: 'forecast', algorithms, environmentDigest: sha256(environment) };
  const { objects } = request;
  return forecast(await historyIfAny(), { ...spec, profile: { name: request.profile } }, { objects, site });
}

/** A forecast needs no deployment; where there is one, its history counts. */
async function historyIfAny(): Promise<Table | null> {
  try {
    return (await openCloud()).table;
  } catch (error) {
    if (error instanceof PonteError && error.code === 'NO_CLOUD') return null;
    throw error;
  }
}

const known = async (kind: 'sites' | 'algorithms') =>
  (await readdir(join(ROOT, 'schemas', kind))).map((file) => file.replace(/\.json$/, '')).sort();

async function schemaFile(kind: 'sites' | 'algorithms', name: string): Promise<string> {
  const names = await known(kind);
  if (names.includes(name)) return join(ROOT, 'schemas', kind, `${name}.json`);
  throw new InputError(`there is no ${kind.slice(0, -1)} named ${name}`, {
    code: 'NAME_UNKNOWN',
    hint: `Known ${kind}: ${names.join(', ')}. A new one is a file in schemas/${kind}.`,
  });
}
