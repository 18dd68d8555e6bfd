/**
 * `npm run test:dashboard`: looks at every page in a real browser, attacks it from another site, and measures it on a large
 * space. The pictures go into .cache/dashboard, to be looked at once a release. `--entries N` makes the space smaller.
 */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { endAll } from '../support/watchdog.js'
import { attack } from './attack.js'
import { startBrowser } from './browser.js'
import { openHouse } from './house.js'
import { measureLarge } from './large.js'
import { lookAtAll } from './pictures.js'
import { servedFromTarball } from './tarball.js'

const { values } = parseArgs({ options: { entries: { type: 'string', default: '1000000' }, only: { type: 'string' } } })
const folder = mkdtempSync(join(tmpdir(), 'takespace-dashboard-'))
const pictures = fileURLToPath(new URL('../../.cache/dashboard/', import.meta.url))
const write = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

/** What is done, by name. */
const STEPS: Readonly<Record<string, () => Promise<void>>> = {
  async pages() {
    mkdirSync(pictures, { recursive: true })
    const house = await openHouse(write)
    const browser = await startBrowser()
    try {
      const seen = await lookAtAll(browser, house, pictures)
      assert.deepEqual(seen.faults, [])
      console.log(`${seen.pages} pages looked at; pictures in ${pictures}`)
    } finally {
      await browser.close()
      await house.close()
    }
  },
  async attacks() {
    const tried = await attack()
    console.log(`${tried} requests from another site: all refused, nothing done`)
  },
  async large() {
    await measureLarge(Number(values.entries))
  },
  async tarball() {
    console.log(`served from the tarball: ${(await servedFromTarball(folder)).join(', ')}`)
  },
}

let failed = 0
for (const [name, step] of Object.entries(STEPS)) {
  if (values.only !== undefined && values.only !== name) continue
  try {
    await step()
    console.log(`${name}: passed`)
  } catch (error) {
    failed++
    console.error(`${name}: failed`, error)
  }
}
endAll()
rmSync(folder, { recursive: true, force: true })
process.exit(failed > 0 ? 1 : 0)
