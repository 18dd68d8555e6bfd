/** The app in two processes of node:cluster, which hands over whole connections. */
import { familyOf } from '../../../machine/family.mjs'

export const about = {
  name: 'node:cluster, two processes',
  promise: 'fails if its process dies',
  settings: 'round robin by connection, the default',
}

export async function start({ children, freePort }, app) {
  const httpPort = await freePort()
  const primary = await children.fork('cluster', 'cluster', { app, httpPort, processes: 2 })
  return { target: `http://127.0.0.1:${httpPort}/`, roles: { apps: familyOf(primary.pid) } }
}
