import type { ValidationReport } from '#core/report/validation-report.ts';
export function validationPage(report: ValidationReport): string {
  return `<!doctype html><title>${report.campaign}</title>`;
}
