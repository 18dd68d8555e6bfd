/** A Chromium that tests drive, and what a page in it did that it must not: errors, requests to others, violations of its policy. */

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type * as Playwright from 'playwright-core'
import type { BrowserContext, Page } from 'playwright-core'

// By require: jiti cannot link its modules as ES modules.
const { chromium } = createRequire(import.meta.url)('playwright-core') as typeof Playwright

const RECORD = fileURLToPath(new URL('../../.cache/chromium/programs.json', import.meta.url))

interface Found {
  readonly command: string
  readonly libraryPath: string
}

/** The browser that .ci/chromium.mjs has found; undefined without. */
export const foundChromium: Found | undefined = existsSync(RECORD)
  ? JSON.parse(readFileSync(RECORD, 'utf8')).chromium
  : undefined

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
]

export interface Browser {
  readonly context: BrowserContext
  close(): Promise<void>
}

/** @param more flags, such as rules for names */
export async function startBrowser(more: readonly string[] = []): Promise<Browser> {
  const folder = mkdtempSync(join(tmpdir(), 'takespace-chromium-'))
  const { command, libraryPath } = foundChromium!
  const context = await chromium.launchPersistentContext(folder, {
    executablePath: command,
    args: [...FLAGS, ...more],
    headless: true,
    viewport: { width: 1280, height: 900 },
    env: { ...process.env, ...(libraryPath && { LD_LIBRARY_PATH: libraryPath }) } as Record<string, string>,
  })
  return {
    context,
    async close() {
      await context.close()
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** Returns the list into which goes whatever a page must not do. */
export function faultsOf(page: Page, origin: string): string[] {
  const faults: string[] = []
  page.on('console', (message) => {
    const text = message.text()
    // The browser reports each answer that is no success; the page tells its user.
    if (message.type() === 'error' && !/Failed to load resource|ERR_/.test(text)) faults.push(`console: ${text}`)
  })
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`))
  page.on('request', (request) => {
    const url = request.url()
    if (!url.startsWith(origin) && !/^(data|blob|about):/.test(url)) faults.push(`request to ${url}`)
  })
  return faults
}
