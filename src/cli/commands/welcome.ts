/** The output of `takespace dev` when it serves: the URL, and what to try next. */
import type { LoadedApp } from '../load/exports.js'

/** The longest list that people read. */
const MOST_TRIES = 6

export function welcome(file: string, url: string, { app, tasks }: LoadedApp<unknown>): string {
  const names = Object.keys(tasks ?? {})
  const routes = expressRoutes(app).slice(0, MOST_TRIES)
  const tries = (routes.length > 0 ? routes : [{ method: 'GET', path: '/' }]).map(({ method, path }) =>
    curl(method, url + path),
  )
  const lines = [
    `takespace serves ${file} through a space in memory: gateway and worker in this one process.`,
    '',
    ...(app === undefined
      ? []
      : [`  Open   ${url}/`, ...tries.map((line, i) => `  ${i === 0 ? 'Try    ' : '       '}${line}`)]),
    ...(names.length === 0 ? [] : taskLines(names)),
    `  Next   with a Redis: takespace gateway   and   takespace worker ${file} --processes 4`,
    '  Stop   Ctrl-C',
  ]
  return `\n${lines.join('\n')}\n\n`
}

/**
 * Programs that call tasks have to share the space; one in memory is shared in this process, by the address that the
 * app is given.
 */
function taskLines(names: readonly string[]): string[] {
  const more = names.length > MOST_TRIES ? `, and ${names.length - MOST_TRIES} more` : ''
  return [
    `  Tasks  ${names.slice(0, MOST_TRIES).join(', ')}${more}`,
    '  Call   in the app: const space = await openSpace(process.env.TAKESPACE_URL)',
    `                     await createClient({ space }).call('${names[0]}', input)`,
  ]
}

const curl = (method: string, url: string): string => {
  if (method === 'GET') return `curl -i ${url}`
  return `curl -i -X ${method}${method === 'DELETE' ? '' : " -d 'id=1'"} ${url}`
}

interface Layer {
  readonly route?: { readonly path?: unknown; readonly methods?: Readonly<Record<string, boolean>> }
}

/**
 * Returns the routes of an Express app (4 or 5); [] for any other app. Getters of the app may throw, as in Express 4.
 */
function expressRoutes(app: unknown): { method: string; path: string }[] {
  for (const name of ['_router', 'router']) {
    try {
      const stack = (app as Record<string, { stack?: unknown } | undefined> | null)?.[name]?.stack
      if (Array.isArray(stack)) return listed(stack)
    } catch {
      // Try the next name.
    }
  }
  return []
}

const listed = (stack: readonly Layer[]): { method: string; path: string }[] =>
  stack.flatMap(({ route }) => {
    if (typeof route?.path !== 'string') return []
    const path = route.path.replace(/:\w+/g, '1')
    return Object.keys(route.methods ?? {}).flatMap((method) =>
      // Express 4 has such a layer for `app.all`.
      method === '_all' ? [] : [{ method: method.toUpperCase(), path }],
    )
  })
