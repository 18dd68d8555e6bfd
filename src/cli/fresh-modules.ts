/** A hook of Node's module loader: what a module of a new generation imports from the app's folder is of that generation, too. */
import type { ResolveHook } from 'node:module'

let folder = ''

/** `folder` is a URL that ends with a slash. */
export function initialize(data: { readonly folder: string }): void {
  folder = data.folder
}

/** There is one of us, wherever we lie: the app's `currentRequest` must be that of the worker. */
const OURSELVES = new URL('../../', import.meta.url).href

export const resolve: ResolveHook = async (specifier, context, next) => {
  const resolved = await next(specifier, context)
  const generation = context.parentURL?.match(/\?takespace=\d+$/)?.[0]
  const { url } = resolved
  const own = url.startsWith(folder) && !url.startsWith(OURSELVES) && !url.includes('/node_modules/')
  return generation && own && !url.includes('?') ? { ...resolved, url: url + generation } : resolved
}
