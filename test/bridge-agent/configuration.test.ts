import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readAgentConfiguration } from '#bridge-agent/configuration.ts';
import { spread } from '#bridge-agent/packing.ts';

describe('the agent’s configuration', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ponte-configuration-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const least = {
    site: 'apollo',
    region: 'us-east-1',
    queueUrl: 'https://sqs.us-east-1.amazonaws.com/1/jobs',
    lakeBucket: 'lake',
    credentials: { roleArn: 'arn:aws:iam::1:role/agent' },
    scratch: '/scratch/ponte',
    journal: '/var/lib/ponte/journal.sqlite',
    scheduler: { kind: 'slurm', partition: 'cpu' },
    worker: { python: '/opt/ponte/bin/python', folder: '/opt/ponte/rail' },
    jobFolder: '/opt/ponte/job',
    algorithmsFolder: '/opt/ponte/algorithms',
  };
  const read = (content: unknown) => {
    const path = join(folder, 'site.json');
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
    return readAgentConfiguration(path);
  };

  it('has a default for everything that a site need not decide', async () => {
    expect(await read(least)).toMatchObject({
      scheduler: { kind: 'slurm', accounting: true },
      limits: { maxJobs: 20, tasksPerArray: 8, attempts: 3 },
      intervals: { reconcileSeconds: 15, heartbeatSeconds: 30 },
      drain: false,
    });
  });

  it.each([
    ['a folder that is not absolute', { ...least, scratch: 'scratch' }, 'scratch'],
    ['a path that a batch script could misread', { ...least, jobFolder: '/opt/$(date)' }, 'jobFolder'],
    ['a field that nobody knows', { ...least, colour: 'blue' }, 'colour'],
    ['a scheduler that nobody knows', { ...least, scheduler: { kind: 'pbs' } }, 'scheduler'],
    ['no site', { ...least, site: undefined }, 'site'],
    ['what is no JSON', '{', 'site.json'],
  ])('names the field when it meets %s', async (_what, content, field) => {
    await expect(read(content)).rejects.toMatchObject({
      code: 'CONFIGURATION_UNREADABLE',
      message: expect.stringContaining(field),
    });
  });
});

describe('the spreading of units over tasks', () => {
  const units = (...rows: number[]) => rows.map((count, index) => ({ rows: count, unitId: `u${index}` }));

  it('keeps every unit once and the largest task small', () => {
    const tasks = spread(units(5, 1, 9, 3, 3, 3), 3);
    expect(tasks.map((task) => task.reduce((sum, { rows }) => sum + rows, 0)).sort()).toEqual([7, 8, 9]);
    expect(tasks.flat()).toHaveLength(6);
  });

  it('makes no empty task', () => {
    expect(spread(units(1, 1), 8)).toHaveLength(2);
  });

  it('does not depend on the order of the units', () => {
    const some = units(5, 1, 9, 3);
    expect(spread([...some].reverse(), 2)).toEqual(spread(some, 2));
  });
});
