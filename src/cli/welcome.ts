/** What `takespace dev` prints when it serves: what to open, what to try next. */

/** As many as are read rather than skipped. */
const MOST_ROUTES = 6

export function welcome(file: string, url: string, app: unknown): string {
  const routes = routesOf(app).slice(0, MOST_ROUTES)
  const tries = (routes.length > 0 ? routes : [{ method: 'GET', path: '/' }]).map(({ method, path }) =>
    curl(method, url + path),
  )
  const lines = [
    `takespace serves ${file} through a space in memory: gateway and worker in this one process.`,
    '',
    `  Open   ${url}/`,
    ...tries.map((line, i) => `  ${i === 0 ? 'Try    ' : '       '}${line}`),
    `  Next   with a Redis: takespace gateway   and   takespace worker ${file} --processes 4`,
    '  Stop   Ctrl-C',
  ]
  return `\n${lines.join('\n')}\n\n`
}

const curl = (method: string, url: string): string => {
  if (method === 'GET') return `curl -i ${url}`
  return `curl -i -X ${method}${method === 'DELETE' ? '' : " -d 'id=1'"} ${url}`
}

interface Layer {
  readonly route?: { readonly path?: unknown; readonly methods?: Readonly<Record<string, boolean>> }
}

/** The routes of an Express app, as it lists them; of any other app none. */
function routesOf(app: unknown): { method: string; path: string }[] {
  const stack = (app as { router?: { stack?: unknown } } | null)?.router?.stack
  if (!Array.isArray(stack)) return []
  return (stack as Layer[]).flatMap(({ route }) => {
    if (typeof route?.path !== 'string') return []
    const path = route.path.replace(/:\w+/g, '1')
    return Object.keys(route.methods ?? {}).map((method) => ({ method: method.toUpperCase(), path }))
  })
}
