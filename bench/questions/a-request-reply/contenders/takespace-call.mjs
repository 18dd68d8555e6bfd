/** takespace, by `client.call` of a task, as a program uses it. */
import { echoed } from '../../../processes/payload.mjs'

export const about = {
  name: 'takespace, client.call',
  server: 'redis',
  promise: 'kept in Redis; given to another worker if its worker dies',
  settings: 'one worker, concurrency 512',
}

export async function worker({ url, name }) {
  const { openSpace } = await import('../../../../dist/src/index.js')
  const { createWorker } = await import('../../../../dist/workers/index.js')
  const space = await openSpace(url, { name })
  await createWorker({ space, tasks: { echo: (input) => input }, concurrency: 512 }).start()
}

export async function client({ url, name }) {
  const { createClient, openSpace } = await import('../../../../dist/src/index.js')
  const tasks = createClient({ space: await openSpace(url, { name }) })
  return echoed((input) => tasks.call('echo', input))
}
