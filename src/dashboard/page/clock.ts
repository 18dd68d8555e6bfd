/** The clocks of the browser, and a second that passes. The only file of the page that reads them. */
import { signal } from './preact.js'

/** ms since 1970. */
export const browserMs = (): number => Date.now()

/** Changes each second, so that ages are drawn anew. */
export const second = signal(browserMs())

setInterval(() => {
  if (!document.hidden) second.value = browserMs()
}, 1_000)
