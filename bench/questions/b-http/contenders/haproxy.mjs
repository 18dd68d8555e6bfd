/** HAProxy in front of two processes of the app. */
import { startHaproxy } from '../../../servers/haproxy.mjs'

export const about = {
  name: 'HAProxy, two processes',
  promise: 'fails if its process dies',
  settings: 'round robin, a thread per core, keep-alive on both sides, no log',
}

export async function start(bench, app) {
  const ports = [await bench.freePort(), await bench.freePort()]
  const apps = []
  for (const httpPort of ports) apps.push(await bench.children.fork('behind-haproxy', 'direct', { app, httpPort }))
  const { target, pid } = await startHaproxy(bench, { balance: 'roundrobin', ports })
  return { target, roles: { front: [pid], apps: apps.map(({ pid }) => pid) } }
}
