/** Apps with sessions behind real servers, and browsers that keep their cookies. */
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Server {
  readonly url: string
  close(): Promise<void>
}

export async function serve(app: RequestListener): Promise<Server> {
  const server = createServer(app)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

export interface Answer {
  readonly status: number
  readonly text: string
  readonly setCookie: readonly string[]
}

/** A browser, as far as cookies go: it keeps what it is told and sends it along. Each has a jar of its own. */
export class Browser {
  readonly cookies = new Map<string, string>()
  readonly #fetch: (path: string, init: RequestInit) => Promise<Response>

  /** @param to where a server is, or a fetch function */
  constructor(to: string | ((request: Request) => Promise<Response>)) {
    this.#fetch = (path, init) =>
      typeof to === 'string' ? fetch(to + path, init) : to(new Request(`http://app.example${path}`, init))
  }

  async get(path: string, init: RequestInit = {}): Promise<Answer> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const headers = { ...(cookie ? { cookie } : {}), ...(init.headers as Record<string, string>) }
    const response = await this.#fetch(path, { redirect: 'manual', ...init, headers })
    const setCookie = response.headers.getSetCookie()
    for (const field of setCookie) {
      const [pair = '', ...attributes] = field.split('; ')
      const name = pair.slice(0, pair.indexOf('='))
      const gone = attributes.some((attribute) => attribute === 'Max-Age=0')
      if (gone) this.cookies.delete(name)
      else this.cookies.set(name, pair.slice(name.length + 1))
    }
    return { status: response.status, text: await response.text(), setCookie }
  }
}
