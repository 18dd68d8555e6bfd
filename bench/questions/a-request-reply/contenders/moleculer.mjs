/** Moleculer over Redis pub/sub: `broker.call` of an action of another node. */
import { echoed } from '../../../processes/payload.mjs'

export const about = {
  name: 'Moleculer over Redis',
  server: 'redis',
  packages: ['moleculer'],
  promise: 'kept nowhere; lost if its worker dies, the client times out',
  settings: 'Redis transporter with its defaults, no logger',
}

const brokerOf = async (nodeID, transporter) => {
  const { ServiceBroker } = await import('moleculer')
  return new ServiceBroker({ nodeID, transporter, logger: false, requestTimeout: 30_000 })
}

export async function worker({ url }) {
  const broker = await brokerOf('worker', url)
  broker.createService({ name: 'bench', actions: { echo: ({ params }) => params } })
  await broker.start()
}

export async function client({ url }) {
  const broker = await brokerOf('client', url)
  await broker.start()
  await broker.waitForServices('bench', 20_000)
  return echoed((data) => broker.call('bench.echo', data))
}
