/** Looks at every page, light and dark, on a desk and on a phone: faults by axe, of the browser, and a picture of each. */
import type { Page } from 'playwright-core'
import { processesIn } from '../../src/control/processes.js'
import { ROUTES } from '../../src/dashboard/routes.js'
import { type Browser, faultsOf } from './browser.js'
import type { House } from './house.js'
import { axeFaults, goTo, isTooWide, LOOKS, lookAs, PAGES } from './looks.js'

/** Beside the pages: one thing of each, and what is asked before an act. */
const PLACES = [...PAGES, 'entries?kind=Job', 'dead?reason=failed', 'processes/PROCESS']

export async function lookAtAll(
  browser: Browser,
  { owner, reader, space }: House,
  folder: string,
): Promise<{ readonly pages: number; readonly faults: string[] }> {
  const page = await browser.context.newPage()
  const own = faultsOf(page, owner)
  const faults: string[] = []
  let pages = 0
  const worker = (await processesIn(space)).find(({ roles }) => roles.includes('worker'))!
  for (const look of LOOKS) {
    await lookAs(page, look)
    for (const place of PLACES) {
      await goTo(page, owner, place.replace('PROCESS', worker.process))
      // Charts come with a script of their own.
      if (place === 'overview') await page.locator('.plot canvas').first().waitFor()
      const name = `${place.replace(/\W+/g, '-')}-${look.theme}-${look.width}`
      await page.screenshot({ path: `${folder}${name}.png`, fullPage: true })
      if (await isTooWide(page)) faults.push(`${name} is too wide`)
      faults.push(...(await axeFaults(page)).map((each) => `${name}: ${each}`))
      pages++
    }
    await page.getByRole('button', { name: 'Keys' }).click()
    faults.push(...(await axeFaults(page)).map((each) => `keys: ${each}`))
    await page.keyboard.press('Escape')
    await goTo(page, owner, 'dead')
    await page.getByRole('button', { name: /^Drop/ }).first().click()
    await page.screenshot({ path: `${folder}asking-${look.theme}-${look.width}.png` })
    faults.push(...(await axeFaults(page)).map((each) => `asking: ${each}`))
    await page.keyboard.press('Escape')
  }
  const text = await page.content()
  if (/secret/.test(text)) faults.push('a query is shown')
  faults.push(...own, ...(await readOnly(page, reader)))
  await page.close()
  return { pages, faults }
}

/** Every act is refused with the name of its right, also when the routes are called by hand. */
async function readOnly(page: Page, url: string): Promise<string[]> {
  await goTo(page, url, 'overview')
  const faults: string[] = []
  for (const { method, path, right } of ROUTES) {
    if (method !== 'POST' || right === 'all') continue
    const asked = `fetch('.${path}', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' })`
    const answer = await page.evaluate<{ status: number; right?: string }>(
      `${asked}.then(async (response) => ({ status: response.status, ...(await response.json()) }))`,
    )
    if (answer.status !== 403 || answer.right !== right) faults.push(`${path} answers ${answer.status} to a reader`)
  }
  return faults
}
