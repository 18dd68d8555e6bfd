/** Looks at pages of the dashboard as their users do: with axe, by the keyboard, on a phone, in the dark. */
import { createRequire } from 'node:module'
import type * as Axe from 'axe-core'
import type { Page } from 'playwright-core'

// By require, as playwright-core.
const { source } = createRequire(import.meta.url)('axe-core') as typeof Axe

export const PAGES = [
  'overview',
  'services',
  'processes',
  'requests',
  'tasks',
  'schedules',
  'dead',
  'entries',
  'transactions',
  'audit',
]

export interface Look {
  readonly theme: 'light' | 'dark'
  readonly width: number
}

export const LOOKS: readonly Look[] = (['light', 'dark'] as const).flatMap((theme) =>
  [1280, 360].map((width) => ({ theme, width })),
)

export async function lookAs(page: Page, { theme, width }: Look): Promise<void> {
  await page.setViewportSize({ width, height: 900 })
  await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' })
}

/** Goes to a page, and waits until its numbers and its rows are there. */
export async function goTo(page: Page, url: string, place: string): Promise<void> {
  await page.goto(`${url}#/${place}`)
  await page.locator('.status .figure').first().waitFor()
  await page.locator('main', { hasText: 'Loading …' }).waitFor({ state: 'detached' })
}

interface AxeResult {
  readonly violations: readonly {
    readonly id: string
    readonly nodes: readonly { readonly target: unknown; readonly failureSummary?: string }[]
  }[]
}

/** Returns what axe finds at fault: the rule and the element. */
export async function axeFaults(page: Page): Promise<string[]> {
  await page.evaluate(source)
  const { violations } = await page.evaluate<AxeResult>('axe.run()')
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`),
  )
}

/** Returns whether a page is wider than its window. */
export const isTooWide = (page: Page): Promise<boolean> =>
  page.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth')
