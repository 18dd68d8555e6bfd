/** TypeScript files run as they are, by jiti. The only file that imports it, and itself imported only when there is one to run. */
import { createJiti } from 'jiti'

/** What the file exports. Modules are kept in Node's own `require.cache`, where whoever wants them fresh deletes them. */
export function importTypeScript<Exports>(path: string): Promise<Exports> {
  // The default is unwrapped by who knows what is looked for; a file of another time must not run from a cache on disk.
  return createJiti(import.meta.url, { interopDefault: false, fsCache: false }).import<Exports>(path)
}
