/** An HTTP client that sends so many requests a second, unless very many are open, and keeps every answer. */
import { Agent, request } from 'node:http'

export interface Answer {
  readonly url: string
  /** Of the HTTP response; 0 if there was none. */
  readonly status: number
  /** The body of an answer, the reason if there was none. */
  readonly text: string
  /** The field Retry-After. */
  readonly retryAfter: string | undefined
  readonly ms: number
  /** When it was all there; wall clock, ms. */
  readonly at: number
}

export interface Load {
  /** How many have been sent. */
  readonly sent: number
  readonly answers: readonly Answer[]
  /** Sends no more; resolves with all answers when the last has come. */
  stop(): Promise<readonly Answer[]>
}

export interface LoadOptions {
  readonly perSecond: number
  readonly method: string
  /** What the n-th request asks for. */
  readonly path: (n: number) => string
  /** What the n-th request brings; default nothing. */
  readonly body?: (n: number) => string
  /** So many, and then no more. */
  readonly most?: number
  /** Beyond so many open ones it leaves out those that would come; default no bound. */
  readonly mostOpen?: number
  /** A client's patience; one that it ends counts as no answer. */
  readonly timeoutMs?: number
}

const TICK_MS = 5

/** @param to one server, or several that are asked in turn */
export function startLoad(to: string | readonly string[], options: LoadOptions): Load {
  const { perSecond, method, path, body = () => '', most = Number.POSITIVE_INFINITY } = options
  const { mostOpen = Number.POSITIVE_INFINITY, timeoutMs = 30_000 } = options
  // Node's agent heeds what a server says of idle connections (Keep-Alive: timeout=60) only below a timeout of its own.
  const agent = new Agent({ keepAlive: true, timeout: 600_000 })
  const servers = [to].flat().map((url) => new URL(url))
  const answers: Answer[] = []
  let sent = 0
  let leftOut = 0
  let onAll: (() => void) | undefined

  const send = (n: number): void => {
    const url = path(n)
    const { hostname, port } = servers[n % servers.length]!
    const since = performance.now()
    let over = false
    const end = (status: number, text: string, retryAfter?: string): void => {
      if (over) return
      over = true
      answers.push({ url, status, text, retryAfter, ms: performance.now() - since, at: Date.now() })
      if (answers.length === sent) onAll?.()
    }
    const req = request({ hostname, port, method, path: url, agent, timeout: timeoutMs }, (res) => {
      let text = ''
      res.setEncoding('utf8').on('data', (chunk) => {
        text += chunk
      })
      res.on('end', () => end(res.statusCode as number, text, res.headers['retry-after']))
      res.on('error', (error) => end(0, String(error)))
    })
    req.on('timeout', () => req.destroy(new Error(`no answer for ${timeoutMs} ms`)))
    req.on('error', (error) => end(0, String(error)))
    req.end(body(n))
  }

  const began = performance.now()
  const timer = setInterval(() => {
    const due = ((performance.now() - began) / 1_000) * perSecond
    while (sent + leftOut < due && sent < most) {
      if (sent - answers.length < mostOpen) send(sent++)
      else leftOut++
    }
  }, TICK_MS)
  // A test that failed does not stop it, and is to end.
  timer.unref()

  return {
    get sent() {
      return sent
    },
    answers,
    async stop() {
      clearInterval(timer)
      if (answers.length < sent) {
        await new Promise<void>((resolve) => {
          onAll = resolve
        })
      }
      agent.destroy()
      return answers
    },
  }
}
