/** The page of the dashboard in a real browser, in short; `npm run test:dashboard` looks at all of it. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { Page } from 'playwright-core'
import { createClient } from '../../src/client.js'
import { auditTrail } from '../../src/control/audit.js'
import { pausesIn } from '../../src/control/pauses.js'
import { processesIn } from '../../src/control/processes.js'
import { ALL_RIGHTS } from '../../src/dashboard/rights.js'
import { writePassword } from '../../src/dashboard/users.js'
import { defineEntry } from '../../src/index.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { createWorker, type Worker } from '../../workers/index.js'
import { isLong } from '../faults/form.js'
import { failOnLeaks } from '../support/leaks.js'
import { type Redis, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'
import { type Browser, faultsOf, foundChromium, startBrowser } from './browser.js'
import { axeFaults, goTo, isTooWide, lookAs } from './looks.js'
import { openRoom, type Room } from './room.js'

const inBrowser = foundChromium ? test : test.skip
const inBrowserInLongForm = foundChromium && isLong ? test : test.skip

test('the page is small: 40 KB before the first look, 80 KB in all, as they are sent', () => {
  const folder = fileURLToPath(new URL('../../dist/dashboard/', import.meta.url))
  const index = readFileSync(`${folder}index.html`, 'utf8')
  const sizes = readdirSync(folder).map((name) => ({ name, bytes: gzipSync(readFileSync(folder + name)).length }))
  const first = sizes.filter(({ name }) => name === 'index.html' || index.includes(name))
  const sum = (all: typeof sizes): number => all.reduce((total, { bytes }) => total + bytes, 0)
  expect(first).toHaveLength(3)
  expect(sum(first)).toBeLessThan(40 * 1_024)
  expect(sum(sizes)).toBeLessThan(80 * 1_024)
  // No address of another host, and no text that is executed.
  expect(index).not.toMatch(/https?:(?!\/\/www\.w3\.org)|<script>|<style>| on\w+=/)
})

let redis: Redis
let room: Room
let other: Space
let worker: Worker
let browser: Browser
let page: Page
let faults: string[]
const HTML = '<img src=x onerror=alert(1)>'

beforeAll(async () => {
  if (!foundChromium) return
  redis = await startRedis({ appendonly: true })
  room = await openRoom(redis, 'seen', { rights: ALL_RIGHTS })
  other = await openSpace(redis.url, { name: 'seen' })
  let isFixed = false
  worker = createWorker({
    space: other,
    app: (_req, res) => void res.end(),
    service: 'web',
    tasks: {
      broken: () => {
        if (!isFixed) throw new Error(HTML)
      },
      fix: () => {
        isFixed = true
      },
    },
  })
  await worker.start()
  await createClient({ space: room.space }).enqueue('broken', 1)
  await room.space.write(defineEntry<{ name: string }>(HTML)({ name: HTML }))
  browser = await startBrowser()
  page = await browser.context.newPage()
  faults = faultsOf(page, room.url)
})
afterAll(async () => {
  if (!foundChromium) return
  await browser.close()
  await worker.stop()
  await other.close()
  await room.close()
  await redis.stop()
})

inBrowser(
  'pages are read by everybody: axe finds no fault, nothing is too wide, and nobody else is asked',
  async () => {
    await until(async () => (await processesIn(room.space)).length > 0, 'the worker has told of itself')
    await goTo(page, room.url, 'dead')
    await page.getByRole('link', { name: `Error: ${HTML}` }).waitFor()
    const seen: string[] = []
    const more = [
      ['services', { theme: 'dark', width: 360 }],
      ['dead', { theme: 'dark', width: 1280 }],
      ['overview', { theme: 'light', width: 1280 }],
    ] as const
    for (const [place, look] of [
      ['processes', { theme: 'dark', width: 360 }],
      [`entries?kind=${encodeURIComponent(HTML)}`, { theme: 'light', width: 1280 }],
      ...(isLong ? more : []),
    ] as const) {
      await lookAs(page, look)
      await goTo(page, room.url, place)
      if (await isTooWide(page)) seen.push(`${place} is too wide`)
      seen.push(...(await axeFaults(page)).map((each) => `${place}: ${each}`))
    }
    expect(seen).toEqual([])
    expect(faults).toEqual([])
  },
)

inBrowser('by the keyboard alone a service is paused, and a dead letter requeued', async () => {
  await lookAs(page, { theme: 'light', width: 1280 })
  await goTo(page, room.url, 'overview')
  const press = async (...keys: string[]): Promise<void> => {
    for (const key of keys) await page.keyboard.press(key)
  }
  const reach = async (name: string): Promise<void> => {
    await page.getByRole('button', { name, exact: true }).first().waitFor()
    for (let n = 0; n < 60; n++) {
      const focused = await page.evaluate(`document.activeElement?.textContent ?? ''`)
      if (focused === name) return
      await press('Tab')
    }
    throw new Error(`The Tab key does not reach ${name}.`)
  }
  await press('?')
  await page.getByRole('heading', { name: 'Keys' }).waitFor()
  await press('Escape')
  // While it is open, keys are its own.
  await page.getByRole('dialog').waitFor({ state: 'hidden' })
  await press('s')
  await page.getByRole('table', { name: /Services/ }).waitFor()
  await reach('Pause web')
  await press('Enter')
  await page.getByRole('dialog').waitFor()
  await reach('Pause')
  await press('Enter')
  await until(async () => (await pausesIn(room.space)).some(({ name }) => name === 'web'), 'web is paused')
  await page.getByRole('button', { name: 'Resume web' }).first().waitFor()
  await press('d')
  await page.getByRole('table', { name: /Dead letters/ }).waitFor()
  await reach(`Requeue Error: ${HTML}`)
  await press('Enter')
  await page.getByRole('dialog').waitFor()
  await reach('Requeue')
  await press('Enter')
  await until(
    async () => (await auditTrail(room.space)).some(({ act, outcome }) => act === 'dead.requeue' && outcome === 'done'),
    'it is requeued',
  )
})

inBrowser('what removes work is done when its number is typed, and new rows wait for a click', async () => {
  await goTo(page, room.url, 'processes')
  const short = other.presence.slice(0, 8)
  await page.getByRole('button', { name: `Stop process ${short}` }).click()
  const stop = page.getByRole('dialog').getByRole('button', { name: 'Stop' })
  expect(await stop.isDisabled()).toBe(true)
  await page.keyboard.press('Escape')
  const third = await openSpace(redis.url, { name: 'seen' })
  const more = createWorker({ space: third, app: (_req, res) => void res.end(), service: 'web' })
  await more.start()
  await page.getByRole('button', { name: 'Show 1 new' }).click()
  await page.getByRole('button', { name: `Stop process ${third.presence.slice(0, 8)}` }).click()
  await page.getByRole('textbox', { name: /Type 1/ }).fill('1')
  await stop.click()
  await until(
    async () => (await processesIn(room.space)).every(({ process }) => process !== third.presence),
    'it has stopped',
  )
  await third.close()
})

inBrowserInLongForm('who can only read sees no button that acts', async () => {
  const reader = await openRoom(redis, 'seen')
  const reading = await browser.context.newPage()
  for (const place of ['services', 'processes', 'dead', 'entries', 'transactions']) {
    await goTo(reading, reader.url, place)
    const names = await reading.locator('main button').allTextContents()
    expect(
      names.filter((name) => /Pause|Refuse|Resume|Drain|Stop|Recall|Requeue|Drop|Take|Abort|Export/.test(name)),
    ).toEqual([])
  }
  await reading.close()
  await reader.close()
})

inBrowserInLongForm('a user logs in and out', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'takespace-users-')), 'users.json')
  await writePassword(file, 'ann', 'correct horse battery', { role: 'operator' })
  const closed = await openRoom(redis, 'seen', { users: file })
  const tab = await browser.context.newPage()
  await tab.goto(closed.url)
  const logIn = async (password: string): Promise<void> => {
    await tab.getByLabel('Name').fill('ann')
    await tab.getByLabel('Password').fill(password)
    await tab.getByRole('button', { name: 'Log in' }).click()
  }
  await logIn('wrong')
  await tab.getByText('The name or the password is wrong.').waitFor()
  expect(await axeFaults(tab)).toEqual([])
  await logIn('correct horse battery')
  await tab.locator('.status .figure').first().waitFor()
  await tab.getByRole('button', { name: 'Log out' }).click()
  await tab.getByLabel('Password').waitFor()
  await tab.close()
  await closed.close()
  rmSync(dirname(file), { recursive: true })
})

inBrowserInLongForm('eight tabs share one stream: a browser has six connections', async () => {
  const tabs: Page[] = []
  for (let n = 0; n < 8; n++) {
    const tab = await browser.context.newPage()
    tabs.push(tab)
    await goTo(tab, room.url, 'processes')
    await tab.getByRole('link', { name: other.presence.slice(0, 8) }).waitFor()
  }
  // The first one leads; another takes over.
  await tabs[0]!.close()
  await page.goto('about:blank')
  await tabs[7]!.getByText(/^as of 0 s ago/).waitFor()
  for (const tab of tabs.slice(1)) await tab.close()
})

inBrowser('while Redis is away the page stays, says so, and comes back', async () => {
  await goTo(page, room.url, 'overview')
  await redis.kill()
  await page.getByText(/Redis does not answer since/).waitFor()
  await redis.restart()
  await page.getByText(/^as of \d s ago/).waitFor()
  expect(faults).toEqual([])
})

failOnLeaks()
