import type { Catalogue } from '#core/campaign.ts';
import { readCampaign } from '#core/campaign-book.ts';
import { InvariantError } from '#core/errors.ts';
import type { Table } from '#core/table.ts';

/** The campaign's catalogue, and the rows that were planned. @throws {InvariantError} `CATALOGUE_UNSOUND`. */
export async function readFinished(
  table: Table,
  campaign: string,
): Promise<{ readonly catalogue: Catalogue; readonly rows: number }> {
  const { catalogue, rows } = await readCampaign(table, campaign);
  if (!catalogue) throw unsound('the catalogue was not finished');
  return { catalogue, rows };
}

export function unsound(message: string): InvariantError {
  return new InvariantError(message, {
    code: 'CATALOGUE_UNSOUND',
    hint: 'Nothing was delivered. The packed collection stays in the lake for a look with ponte verify.',
  });
}
