/** Host names: as services name them (`api.example.com`, `*.example.com`), and as requests do. */

/** The longest name in DNS; longer ones are of no service. */
const LONGEST = 253

const LABEL = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?'
const PATTERN = new RegExp(`^(?:\\*\\.)?${LABEL}(?:\\.${LABEL})*$|^\\[[0-9a-f:.]+\\]$`, 'i')

/** Returns whether a text is a host name or an address without a port, or `*.` and a name. */
export const isHostPattern = (text: unknown): text is string =>
  typeof text === 'string' && text.length <= LONGEST && PATTERN.test(text)

/** Returns the name in a Host field: in lower case, without its port and a final dot; '' if there is none. */
export function hostNameIn(host: string | undefined): string {
  if (host === undefined) return ''
  let end = host.length
  const colon = host.lastIndexOf(':')
  if (colon > host.lastIndexOf(']')) end = colon
  if (host.charAt(end - 1) === '.') end--
  return end > LONGEST ? '' : host.slice(0, end).toLowerCase()
}
