/** Where the user is: the page and its values, in the hash of the address. */
import { computed, signal } from './preact.js'

const hash = signal(location.hash)

addEventListener('hashchange', () => {
  hash.value = location.hash
})

const parts = computed(() => {
  const [path = '', query = ''] = hash.value.replace(/^#\/?/, '').split('?')
  return { path, values: new URLSearchParams(query) }
})

/** The name of the page, such as `dead`, and of one thing on it, such as the id behind it. */
export const pageName = computed(() => parts.value.path.split('/')[0] || 'overview')
export const thingName = computed(() => decodeURIComponent(parts.value.path.split('/')[1] ?? ''))
export const placeValues = computed(() => parts.value.values)

/** Returns the link to a page, with values that are not ''. */
export function linkTo(path: string, values: Readonly<Record<string, string>> = {}): string {
  const query = new URLSearchParams(Object.entries(values).filter(([, value]) => value !== '')).toString()
  return `#/${path}${query ? `?${query}` : ''}`
}

export const go = (to: string): void => {
  location.hash = to
}
