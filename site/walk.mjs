/** Walks the built site in Chromium: every page, link and anchor, accessibility, the search; and that no other host is asked. */
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { serve } from 'vitepress'

const site = fileURLToPath(new URL('.', import.meta.url))
const PORT = 4_817
const ORIGIN = `http://localhost:${PORT}`
/** Without these Chromium asks hosts of its maker. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-background-networking',
  '--disable-sync',
  '--disable-component-update',
]
/** Words that a reader searches for, each with a page that must be among those found. */
const SEARCHES = {
  lease: '/space',
  'drain delay': '/operations',
  sentinel: '/which-redis',
  idempotency: '/idempotency',
  WORKER_LOST: '/lifecycle',
  express: '/frameworks',
  websocket: '/streaming',
  cron: '/tasks',
  partition: '/partitions',
  'trust proxy': '/proxies',
}

/** Pages whose frame, code blocks and colours are looked at, too: they are the same on all others. */
const WHOLE = ['/', '/start', '/cli', '/recipes/space']

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

const findings = []
const find = (page, what) => findings.push(`${page}: ${what}`)

const pages = readdirSync(join(site, 'dist'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.html') && file !== '404.html')
  .map(
    (file) =>
      `/${file
        .replaceAll('\\', '/')
        .replace(/(?:^|(?<=\/))index\.html$/, '')
        .replace(/\.html$/, '')}`,
  )
  .sort()

/** What a page links to, and the anchors that it has. */
async function look(page, path) {
  const problems = []
  page.removeAllListeners()
  page.on('console', (message) => message.type() === 'error' && problems.push(`console: ${message.text()}`))
  page.on('pageerror', (error) => problems.push(`error: ${error.message}`))
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url())
    if (origin !== ORIGIN && protocol !== 'data:') problems.push(`asks ${request.url()}`)
  })
  page.on('response', (response) => response.status() >= 400 && problems.push(`${response.status()} ${response.url()}`))
  await page.goto(ORIGIN + path, { waitUntil: 'load' })
  await page.waitForSelector('.VPDoc')
  const seen = await page.evaluate(() => ({
    links: [...document.querySelectorAll('a[href]')].map((link) => link.href),
    anchors: [...document.querySelectorAll('[id]')].map((element) => element.id),
  }))
  await page.addScriptTag({ path: AXE })
  const { violations } = await page.evaluate(
    (isWhole) =>
      isWhole
        ? window.axe.run()
        : window.axe.run(
            { include: ['.vp-doc'], exclude: ['pre'] },
            { rules: { 'color-contrast': { enabled: false } } },
          ),
    WHOLE.includes(path),
  )
  for (const { id, nodes } of violations) problems.push(`axe ${id}: ${nodes.length} × ${nodes[0].html.slice(0, 150)}`)
  for (const problem of new Set(problems)) find(path, problem)
  return seen
}

/** Every link within the site leads to a page, and to an anchor that it has. */
function checkLinks(seen) {
  for (const [path, { links }] of seen) {
    for (const link of new Set(links)) {
      const { origin, pathname, hash } = new URL(link)
      if (origin !== ORIGIN || /\.(txt|svg)$/.test(pathname)) continue
      const target = seen.get(pathname)
      if (!target) find(path, `leads to ${pathname}, which is no page`)
      else if (hash && !target.anchors.includes(decodeURIComponent(hash.slice(1))))
        find(path, `leads to ${pathname}${hash}, which is no anchor`)
    }
  }
}

async function checkSearch(page) {
  await page.goto(`${ORIGIN}/start`)
  for (const [words, expected] of Object.entries(SEARCHES)) {
    await page.locator('#local-search button, .VPNavBarSearchButton').first().click()
    await page.locator('.search-input').fill(words)
    const found = page.locator('.VPLocalSearchBox .result')
    // The results of the words before stay until the new ones are there.
    const hasExpected = (path) =>
      [...document.querySelectorAll('.VPLocalSearchBox .result')].some(({ href }) => new URL(href).pathname === path)
    await page.waitForFunction(hasExpected, expected).catch(() => {})
    const links = await found.evaluateAll((results) => results.map((result) => new URL(result.href).pathname))
    if (!links.includes(expected))
      find('search', `${words} finds ${[...new Set(links)].join(', ') || 'nothing'}, not ${expected}`)
    await page.keyboard.press('Escape')
  }
}

// .ci/chromium.mjs has found it.
const { command, libraryPath } = JSON.parse(
  readFileSync(join(site, '..', '.cache', 'chromium', 'programs.json'), 'utf8'),
).chromium
const env = { ...process.env, ...(libraryPath && { LD_LIBRARY_PATH: libraryPath }) }
const server = await serve({ root: site, port: PORT })
const browser = await chromium.launch({ executablePath: command, args: FLAGS, env })
try {
  const page = await browser.newPage()
  const seen = new Map()
  for (const path of pages) seen.set(path, await look(page, path))
  await page.emulateMedia({ colorScheme: 'dark' })
  for (const path of WHOLE) await look(page, path)
  checkLinks(seen)
  await checkSearch(page)
} finally {
  await browser.close()
  server.server.close()
}
for (const finding of findings) console.log(finding)
console.log(`${pages.length} pages, ${Object.keys(SEARCHES).length} searches, ${findings.length} findings`)
process.exit(findings.length === 0 ? 0 : 1)
