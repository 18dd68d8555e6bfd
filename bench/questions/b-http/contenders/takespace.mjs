/** takespace: a gateway, Redis and two worker processes, as the command line starts them. */
import { startThroughSpace } from '../../../http.mjs'

export const about = {
  name: 'takespace, two workers',
  promise: 'kept in Redis; given to the other worker if its worker dies (GET; POST with an Idempotency-Key)',
  settings: 'gateway, worker --processes 2 --concurrency 64, LOG_LEVEL=warn',
}

export async function start(bench, app) {
  const { target, roles } = await startThroughSpace({ ...bench, concurrency: 64 }, 'b', app)
  return { target, roles: { ...roles, server: [bench.redis.pid] } }
}
