/** A gateway and a worker in one process, and requests whose bodies a test writes and reads bit by bit. */
import { request as httpRequest, type IncomingMessage, type RequestListener } from 'node:http'
import { afterEach } from '@jest/globals'
import { createGateway, type Gateway, type GatewayOptions } from '../../gateway/index.js'
import { openSpace } from '../../src/open.js'
import type { Space } from '../../src/space.js'
import { createWorker } from '../../workers/index.js'

/** That of the test that runs. */
export let space: Space | undefined
afterEach(async () => {
  await space?.close()
  space = undefined
})

export async function serving(
  app: RequestListener,
  options: Partial<GatewayOptions> = {},
  concurrency = 16,
): Promise<Gateway> {
  space = await openSpace('memory:')
  const gateway = createGateway({ space, port: 0, ...options })
  await gateway.start()
  await createWorker({ space, app, concurrency, stopTimeoutMs: 100 }).start()
  return gateway
}

interface Asking {
  readonly method?: string
  readonly headers?: Record<string, string>
}

/** A request whose body is written by the test, and the response when its head is there. */
export function begin(gateway: Gateway, path: string, { method = 'POST', headers = {} }: Asking = {}) {
  const req = httpRequest(gateway.url + path, { method, headers, agent: false })
  req.on('error', () => {})
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    req.on('response', resolve)
    req.on('error', reject)
  })
  response.catch(() => {})
  return { req, response }
}

export async function all(res: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of res) text += chunk
  return text
}

export const echo: RequestListener = (req, res) => void req.pipe(res)
