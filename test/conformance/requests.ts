import { REGION } from '#local/cloud.ts';

/** Requests to services that have no client among our dependencies. Not signed: for a cloud that enforces no IAM. */
export interface Request {
  readonly path: string;
  readonly service: string;
  readonly body: string;
  /** Of a JSON service, for instance `AWSEvents.PutRule`. */
  readonly target?: string;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** The emulator routes by the service in the scope of the credentials. */
function authorization(service: string): string {
  return `AWS4-HMAC-SHA256 Credential=test/20260101/${REGION}/${service}/aws4_request, SignedHeaders=host, Signature=0`;
}

export async function request(url: string, { path, service, body, target }: Request): Promise<Answer> {
  const headers = {
    'content-type': 'application/x-amz-json-1.1',
    authorization: authorization(service),
    ...(target === undefined ? {} : { 'x-amz-target': target }),
  };
  const answer = await fetch(url + path, { method: 'POST', body, headers });
  const text = await answer.text();
  const parsed: unknown = text === '' ? null : JSON.parse(text);
  return { status: answer.status, body: parsed };
}

/** The body of an answer that must not be a refusal. */
export async function accepted(url: string, sent: Request): Promise<unknown> {
  const answer = await request(url, sent);
  if (answer.status < 300) return answer.body;
  throw new Error(`${sent.target ?? sent.path}: ${answer.status} ${JSON.stringify(answer.body)}`);
}

/** The XML that CloudFormation answers. */
export async function cloudFormation(url: string, parameters: Record<string, string>): Promise<string> {
  const body = new URLSearchParams({ ...parameters, Version: '2010-05-15' });
  const answer = await fetch(url, {
    method: 'POST',
    body,
    headers: { authorization: authorization('cloudformation') },
  });
  return answer.text();
}
