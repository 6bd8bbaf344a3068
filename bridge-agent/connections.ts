import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { SFNClient } from '@aws-sdk/client-sfn';
import { SQSClient } from '@aws-sdk/client-sqs';
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { type Logger, pino } from 'pino';
import { DynamoDbTable } from '#adapters/dynamodb-table.ts';
import { KeepingStore } from '#adapters/keeping-store.ts';
import { LocalScheduler } from '#adapters/local-scheduler.ts';
import { S3ObjectStore } from '#adapters/s3-object-store.ts';
import { SfnJobCallback } from '#adapters/sfn-callback.ts';
import { SlurmScheduler } from '#adapters/slurm.ts';
import { SqsJobQueue } from '#adapters/sqs-job-queue.ts';
import { readAlgorithms } from '#bridge-agent/algorithms.ts';
import { causeOf } from '#bridge-agent/cause.ts';
import type { AgentConfiguration } from '#bridge-agent/configuration.ts';
import type { AgentParts } from '#bridge-agent/context.ts';
import { refuseLongLivedKey } from '#bridge-agent/long-lived-key.ts';
import { InvariantError } from '#core/errors.ts';
import type { ObjectStore } from '#core/ports.ts';
import type { Scheduler } from '#core/scheduler.ts';

/** How long the credentials of one AssumeRole last; the SDK asks again before they end. */
const SESSION_SECONDS = 3600;

/**
 * Everything real: the cloud's services, the site's scheduler, the clock. All connections go outwards.
 * @throws {InputError} `LONG_LIVED_KEY` when the user signs in with one, also to assume a role.
 */
export async function connect(configuration: AgentConfiguration): Promise<AgentParts> {
  const { region, endpoint, queueUrl, lakeBucket, leaseTable, site, logLevel } = configuration;
  const where = { region, ...(endpoint === undefined ? {} : { endpoint }) };
  const credentials = assumedRole(configuration, where);
  await refuseLongLivedKey(new STSClient(where).config.credentials);
  const client = { ...where, ...(credentials === null ? {} : { credentials }) };
  const s3 = new S3Client({ ...client, forcePathStyle: endpoint !== undefined });
  const log = pino({ level: logLevel, base: { site } });
  return {
    lake: openLake(new S3ObjectStore(s3, lakeBucket), configuration, log),
    queue: new SqsJobQueue(new SQSClient(client), queueUrl),
    callback: new SfnJobCallback(new SFNClient(client)),
    scheduler: openScheduler(configuration),
    leaseTable: leaseTable === undefined ? null : new DynamoDbTable(new DynamoDBClient(client), leaseTable),
    clock: { now: () => new Date() },
    log,
    algorithms: await readAlgorithms(configuration.algorithmsFolder),
  };
}

/** What a partition is packed from: the skinny tables, the points and p(z), all Parquet. */
const isTable = (key: string) => key.endsWith('.parquet');

function openLake(lake: ObjectStore, { keep }: AgentConfiguration, log: Logger): ObjectStore {
  if (keep === undefined) return lake;
  return new KeepingStore(lake, {
    folder: keep,
    keeps: isTable,
    onFailure: (path, error) => log.warn({ path, cause: causeOf(error) }, 'Keep:Failed'),
  });
}

function openScheduler({ scheduler, jobFolder }: AgentConfiguration): Scheduler {
  if (scheduler.kind === 'slurm') return new SlurmScheduler({ ...scheduler, jobFolder });
  return new LocalScheduler({ ...scheduler, launcher: join(jobFolder, 'local-task.sh') });
}

interface Where {
  readonly region: string;
  readonly endpoint?: string;
}

/** A credential provider as the SDK takes it; null for its default chain. */
function assumedRole({ credentials, site }: AgentConfiguration, where: Where) {
  if (credentials === undefined) return null;
  const sts = new STSClient(where);
  const command = new AssumeRoleCommand({
    RoleArn: credentials.roleArn,
    RoleSessionName: credentials.sessionName ?? `ponte-agent-${site}`,
    DurationSeconds: SESSION_SECONDS,
  });
  return async () => {
    const { Credentials } = await sts.send(command);
    const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = Credentials ?? {};
    if (AccessKeyId === undefined || SecretAccessKey === undefined) {
      throw new InvariantError(`STS gave no credentials for ${credentials.roleArn}`, {
        code: 'CREDENTIALS_MISSING',
        hint: 'Check the role and who may assume it.',
      });
    }
    return {
      accessKeyId: AccessKeyId,
      secretAccessKey: SecretAccessKey,
      ...(SessionToken === undefined ? {} : { sessionToken: SessionToken }),
      ...(Expiration === undefined ? {} : { expiration: Expiration }),
    };
  };
}
