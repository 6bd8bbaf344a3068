import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { z } from 'zod';

/** A line of what the local cloud counts (local/cloud/ponte_cloud/meter.py). */
const lineSchema = z.object({
  kind: z.enum(['s3Put', 's3Get', 'sqsRequest', 'dynamoDbReadUnit', 'dynamoDbWriteUnit', 'lambdaRequest', 'event']),
  units: z.number(),
  /** An ARN, or a function's name. */
  by: z.string(),
  at: z.string().optional(),
  /** Of the state that was entered. */
  name: z.string().optional(),
  bytes: z.number().optional(),
  seconds: z.number().optional(),
  cpu: z.number().optional(),
  memoryMb: z.number().optional(),
  diskMb: z.number().optional(),
  cold: z.boolean().optional(),
  logBytes: z.number().optional(),
});

export type Counted = Omit<z.infer<typeof lineSchema>, 'by'> & {
  /** `IntakeInspect`, `CampaignFunctionsVerifyJob`, `Agent`; `operator`; `machine Intake`, `machine Campaign`. */
  readonly by: string;
};

/** All lines from the `from`th on. */
export async function readMeter(path: string, from = 0): Promise<readonly Counted[]> {
  const found: Counted[] = [];
  let number = 0;
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
    number += 1;
    if (number <= from) continue;
    const { by, ...counted } = lineSchema.parse(JSON.parse(line));
    found.push({ ...counted, by: callerOf(by) });
  }
  return found;
}

/** CloudFormation's names end in a digest of 8 hexadecimal digits, roles before it in `Role`. */
function callerOf(by: string): string {
  const role = /assumed-role\/Ponte-(\w+?)Role[0-9A-F]{8}/.exec(by)?.[1];
  const lambda = /^Ponte-(\w+?)[0-9A-F]{8}/.exec(by)?.[1];
  const machine = /:execution:Ponte-(\w+?)[0-9A-F]{8}/.exec(by)?.[1];
  if (machine !== undefined) return `machine ${machine.startsWith('Intake') ? 'Intake' : 'Campaign'}`;
  return (role ?? lambda)?.replace(/Function$/, '') ?? 'operator';
}
