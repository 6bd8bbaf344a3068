import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ACCEPTED_FINDINGS } from '#infra/accepted-findings.ts';
import { PonteStack } from '#infra/ponte-stack.ts';

const reportSchema = z.object({
  pluginReports: z.array(
    z.object({
      violations: z.array(
        z.object({ ruleName: z.string(), violatingConstructs: z.array(z.object({ constructPath: z.string() })) }),
      ),
    }),
  ),
});

interface Finding {
  readonly rule: string;
  readonly construct: string;
}

describe('the stack under the AwsSolutions pack', () => {
  const outdir = mkdtempSync(join(tmpdir(), 'ponte-nag-'));
  let findings: readonly Finding[];

  beforeAll(() => {
    const app = new App({ outdir, analyticsReporting: false });
    new PonteStack(app, 'Ponte', { sites: ['santos-dumont'], env: { account: '000000000000', region: 'us-east-1' } });
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
    // The CDK ends a synthesis with findings by an error that lists them; the report says the same, for machines.
    expect(() => app.synth()).toThrow(/AwsSolutions/);
    const report = reportSchema.parse(JSON.parse(readFileSync(join(outdir, 'validation-report.json'), 'utf8')));
    findings = report.pluginReports.flatMap(({ violations }) =>
      violations.flatMap(({ ruleName, violatingConstructs }) =>
        violatingConstructs.map(({ constructPath }) => ({
          rule: ruleName.replace(/^AwsSolutions-/, ''),
          construct: constructPath,
        })),
      ),
    );
  }, 120_000);
  afterAll(() => rmSync(outdir, { recursive: true, force: true }));

  const accepts = (finding: Finding) =>
    ACCEPTED_FINDINGS.filter(({ rule, construct }) => rule.test(finding.rule) && construct.test(finding.construct));

  it('has no finding that was not accepted with a reason', () => {
    expect(findings.length).toBeGreaterThan(0);
    expect(findings.filter((finding) => accepts(finding).length === 0)).toEqual([]);
  });

  it('accepts nothing that is no longer found', () => {
    const used = new Set(findings.flatMap(accepts));

    expect(ACCEPTED_FINDINGS.filter((accepted) => !used.has(accepted)).map(({ rule }) => String(rule))).toEqual([]);
    for (const { reason } of ACCEPTED_FINDINGS) expect(reason.length).toBeGreaterThan(20);
  });
});
