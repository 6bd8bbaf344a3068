/** What a log line and a state machine say of an error. */
export function causeOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
