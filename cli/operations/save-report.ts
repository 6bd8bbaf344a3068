import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cloud } from '#cli/context.ts';
import type { ApprovalRow } from '#core/approval.ts';

/** Brings the validation report's page to this machine, where a browser opens it without any network. */
export async function saveReport(cloud: Cloud, approval: ApprovalRow, home: string): Promise<string> {
  const folder = join(home, 'reports');
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${approval.campaign}-${approval.report.sha256.slice(0, 12)}.html`);
  await cloud.lake.getFile(approval.page.key, path, approval.page.sha256);
  return path;
}
