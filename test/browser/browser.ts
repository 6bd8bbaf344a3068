import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';

/** No update, no first-run page, no request of the browser's own: what the network sees is the page's. */
const SWITCHES = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--hide-scrollbars',
  '--remote-debugging-port=0',
];

const messageSchema = z.object({
  id: z.int().optional(),
  sessionId: z.string().optional(),
  method: z.string().optional(),
  params: z.record(z.string(), z.json()).optional(),
  result: z.record(z.string(), z.json()).optional(),
  error: z.object({ message: z.string() }).optional(),
});
type Message = z.infer<typeof messageSchema>;
type Json = z.infer<ReturnType<typeof z.json>>;

export interface View {
  readonly width: number;
  readonly height: number;
  readonly scheme: 'light' | 'dark';
}

/** One tab of a headless Chromium, driven over its DevTools protocol. */
export class Browser {
  readonly #process: ChildProcess;
  readonly #profile: string;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (message: Message) => void>();
  #session = '';
  #lastId = 0;
  /** Every event of the page since it was opened. */
  readonly events: Message[] = [];

  private constructor(process: ChildProcess, profile: string, socket: WebSocket) {
    this.#process = process;
    this.#profile = profile;
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => this.#take(messageSchema.parse(JSON.parse(String(data)))));
  }

  static async start(chromium: string): Promise<Browser> {
    const profile = await mkdtemp(join(tmpdir(), 'ponte-browser-'));
    const child = spawn(chromium, [...SWITCHES, `--user-data-dir=${profile}`], { stdio: ['ignore', 'ignore', 'pipe'] });
    const socket = new WebSocket(await addressOf(child));
    await once(socket, 'open');
    const browser = new Browser(child, profile, socket);
    const { targetId } = await browser.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await browser.send('Target.attachToTarget', { targetId: targetId ?? '', flatten: true });
    browser.#session = z.string().parse(sessionId);
    for (const domain of ['Page', 'Network', 'Log', 'Runtime', 'Accessibility']) await browser.send(`${domain}.enable`);
    return browser;
  }

  /** Opens a page as `view` would show it, and waits until it is loaded. */
  async open(url: string, { width, height, scheme }: View): Promise<void> {
    await this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
    const features = [{ name: 'prefers-color-scheme', value: scheme }];
    await this.send('Emulation.setEmulatedMedia', { features });
    this.events.length = 0;
    await this.send('Page.navigate', { url });
    await this.evaluate(
      `new Promise((done) => document.readyState === 'complete' ? done() : addEventListener('load', done))`,
    );
  }

  /** The value of an expression in the page; the page's own policy does not bind it. */
  async evaluate(expression: string): Promise<unknown> {
    const answer = await this.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    if (answer.exceptionDetails)
      throw new Error(`${expression.slice(0, 80)}: ${JSON.stringify(answer.exceptionDetails)}`);
    return z.object({ value: z.unknown().optional() }).parse(answer.result).value;
  }

  /** Puts a picture of the whole page into a file, for a person to look at. */
  async screenshot(path: string): Promise<void> {
    const { data } = await this.send('Page.captureScreenshot', { captureBeyondViewport: true });
    await writeFile(path, Buffer.from(z.string().parse(data), 'base64'));
  }

  send(method: string, params: Record<string, Json> = {}): Promise<Record<string, Json>> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result, error }) =>
        error ? reject(new Error(`${method}: ${error.message}`)) : resolve(result ?? {}),
      );
      const session = this.#session === '' ? {} : { sessionId: this.#session };
      this.#socket.send(JSON.stringify({ id, method, params, ...session }));
    });
  }

  async close(): Promise<void> {
    this.#socket.close();
    if (this.#process.exitCode === null) {
      this.#process.kill('SIGTERM');
      await once(this.#process, 'exit');
    }
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }

  #take(message: Message): void {
    if (message.id === undefined) {
      this.events.push(message);
      return;
    }
    this.#waiting.get(message.id)?.(message);
    this.#waiting.delete(message.id);
  }
}

/** The browser says on its standard error where it listens. */
async function addressOf(child: ChildProcess): Promise<string> {
  if (!child.stderr) throw new Error('the browser has no standard error');
  let said = '';
  for await (const line of createInterface(child.stderr)) {
    const address = /^DevTools listening on (ws:\S+)/.exec(line)?.[1];
    if (address) {
      child.stderr.resume();
      return address;
    }
    said += `${line}\n`;
  }
  throw new Error(`the browser did not start:\n${said}`);
}
