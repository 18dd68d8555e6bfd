/** The app in one process on node:http, without anything in front of it. */

export const about = {
  name: 'direct, one process',
  promise: 'fails if the process dies',
  settings: 'node:http with its defaults',
}

export async function start({ children, freePort }, app) {
  const httpPort = await freePort()
  const server = await children.fork('direct', 'direct', { app, httpPort })
  return { target: `http://127.0.0.1:${httpPort}/`, roles: { apps: [server.pid] } }
}
