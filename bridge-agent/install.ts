import { constants, existsSync } from 'node:fs';
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { agentConfigurationSchema, pathSchema } from '#bridge-agent/configuration.ts';
import { readSiteProfile } from '#bridge-agent/site-profile.ts';
import { systemdUnit } from '#bridge-agent/systemd-unit.ts';
import { InputError } from '#core/errors.ts';

export interface Installation {
  /** Names a file of `bridge-agent/sites`. */
  readonly site: string;
  /** Where the bundle was unpacked, readable by the compute nodes. */
  readonly program: string;
  /** The RAIL environment's interpreter. */
  readonly python: string;
  readonly scratch: string;
  /** For a site that packs the table itself; none without. */
  readonly keep?: string;
  readonly journal: string;
  readonly region: string;
  readonly queueUrl: string;
  readonly lakeBucket: string;
  /** Needed where several sites take from the queue. */
  readonly leaseTable?: string;
  readonly partition?: string;
  readonly account?: string;
  readonly user: string;
  /** Written before `/etc`, for a package or a trial; empty for this host. */
  readonly prefix: string;
  /** Whether files with other content may be replaced. */
  readonly replace: boolean;
}

export interface Installed {
  readonly configuration: string;
  readonly unit: string;
  /** What the agent will miss, a sentence each; the files are written nevertheless. */
  readonly missing: readonly string[];
}

const userSchema = z.string().regex(/^[a-z_][a-z0-9_-]*$/, 'must be the name of a user');

/**
 * Writes the site's configuration and its systemd unit from the site's profile. Again with the same values it changes
 * nothing.
 * @throws {InputError} when a value is wrong or not known, or a file there has other content. Nothing is written then.
 */
export async function install(request: Installation): Promise<Installed> {
  const { site, prefix, user } = request;
  const content = await configurationOf(request);
  const path = `/etc/ponte/${site}.json`;
  const program = check(pathSchema, request.program, '--program');
  if (check(userSchema, user, '--user') === 'root') {
    throw new InputError('the agent does not run as root', {
      code: 'INSTALLATION_WRONG',
      hint: 'Name an unprivileged user that may submit jobs.',
    });
  }
  const { scratch, journal } = content;
  const keep = request.keep ?? null;
  const files = [
    { path: join(prefix, path), text: `${JSON.stringify(content, null, 2)}\n` },
    {
      path: join(prefix, '/etc/systemd/system/ponte-agent.service'),
      text: systemdUnit({ program, configuration: path, scratch, keep, journal, user }),
    },
  ];
  for (const file of files) await refuseOther(file, request.replace);
  for (const file of files) {
    await mkdir(dirname(file.path), { recursive: true });
    await writeFile(file.path, file.text, { mode: 0o644 });
  }
  const [configuration = '', unit = ''] = files.map((file) => file.path);
  return { configuration, unit, missing: await whatIsMissing(program, content) };
}

async function configurationOf(request: Installation) {
  const {
    site,
    program,
    python,
    scratch,
    keep,
    journal,
    region,
    queueUrl,
    lakeBucket,
    leaseTable,
    partition,
    account,
  } = request;
  const profile = await readSiteProfile(join(program, 'bridge-agent/sites'), site);
  if ((partition ?? profile.scheduler.partition) === undefined) {
    throw new InputError(`the profile of ${site} names no partition`, {
      code: 'INSTALLATION_WRONG',
      hint: 'Give --partition; ask the operators of the cluster which.',
    });
  }
  const content = {
    site,
    region,
    queueUrl,
    lakeBucket,
    ...(leaseTable === undefined ? {} : { leaseTable }),
    scratch,
    ...(keep === undefined ? {} : { keep }),
    journal,
    scheduler: {
      ...profile.scheduler,
      ...(partition === undefined ? {} : { partition }),
      ...(account === undefined ? {} : { account }),
    },
    worker: { python, folder: join(program, 'bridge-agent/rail') },
    jobFolder: join(program, 'bridge-agent/job'),
    algorithmsFolder: join(program, 'schemas/algorithms'),
    limits: profile.limits,
  };
  check(agentConfigurationSchema, content, 'the configuration');
  return content;
}

function check<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new InputError(`${what} would be wrong:\n${z.prettifyError(parsed.error)}`, {
    code: 'INSTALLATION_WRONG',
    hint: 'docs/site.md describes every field.',
  });
}

async function refuseOther({ path, text }: { path: string; text: string }, replace: boolean): Promise<void> {
  if (replace || !existsSync(path) || (await readFile(path, 'utf8')) === text) return;
  throw new InputError(`${path} is there with other content`, {
    code: 'INSTALLATION_EXISTS',
    hint: 'Move it away, or say --replace.',
  });
}

/** A path, how it is used, and how to mend that it is not there. */
type Needed = [string, number, string];

async function whatIsMissing(program: string, content: Awaited<ReturnType<typeof configurationOf>>): Promise<string[]> {
  const { worker, jobFolder, algorithmsFolder, scratch, keep, journal } = content;
  const needed: Needed[] = [
    [join(program, 'bin/ponte'), constants.X_OK, 'unpack the bundle there'],
    [worker.python, constants.X_OK, `build the RAIL environment there with ${join(program, 'install-rail.sh')}`],
    [join(worker.folder, 'ponte_rail'), constants.R_OK, 'unpack the whole bundle'],
    [join(jobFolder, 'job.py'), constants.R_OK, 'unpack the whole bundle'],
    [algorithmsFolder, constants.R_OK, 'unpack the whole bundle'],
    [scratch, constants.R_OK, 'make it, owned by the service user, mode 0700'],
    ...(keep === undefined ? [] : [[keep, constants.R_OK, 'make it, owned by the service user'] satisfies Needed]),
    [dirname(journal), constants.R_OK, 'make it on a local disk, owned by the service user'],
  ];
  const looks = await Promise.all(
    needed.map(async ([path, mode, mend]) => {
      const there = await access(path, mode).then(
        () => true,
        () => false,
      );
      return there ? [] : [`${path} is not there: ${mend}`];
    }),
  );
  return looks.flat();
}
