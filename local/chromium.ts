import { existsSync, readFileSync } from 'node:fs';
import { CommandFailed, run } from '#local/process.ts';

/** Where Debian puts it; tests name it by its path, so that no other browser answers in its place. */
const CHROMIUM = '/usr/bin/chromium';

/**
 * The path of Debian's Chromium, installed when it is missing and that is possible: as root, on Debian. Null, with the
 * reason logged, where it is not, so that a test can be skipped.
 */
export async function ensureChromium(log: (line: string) => void): Promise<string | null> {
  if (existsSync(CHROMIUM)) return CHROMIUM;
  const obstacle = whyNotInstallable();
  if (obstacle !== null) {
    log(`there is no ${CHROMIUM}, and it cannot be installed: ${obstacle}`);
    return null;
  }
  const started = Date.now();
  log('installing Chromium from Debian’s packages (once) ...');
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  try {
    await run(['apt-get', 'update', '-qq'], { env });
    await run(['apt-get', 'install', '-y', '-qq', '--no-install-recommends', 'chromium', 'fonts-dejavu-core'], { env });
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    log(`there is no ${CHROMIUM}, and it cannot be installed: ${error.message}`);
    return null;
  }
  log(`  Chromium is installed after ${((Date.now() - started) / 1000).toFixed(1)} s`);
  return CHROMIUM;
}

function whyNotInstallable(): string | null {
  if (process.platform !== 'linux') return 'it comes from Debian’s packages, and this is another system';
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  if (!/^ID(_LIKE)?=.*debian/m.test(release)) return 'it comes from Debian’s packages, and this is another system';
  return process.getuid?.() === 0 ? null : 'that needs root';
}
