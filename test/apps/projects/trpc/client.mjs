/** The requests to the tRPC server: with its own client, and as plain HTTP. */
import { createTRPCClient, httpBatchLink, httpBatchStreamLink, httpSubscriptionLink, splitLink } from '@trpc/client'
import { EventSource } from 'eventsource'

/** @param {import('../../app.js').Site} site */
export default async function client({ url, ask, record }) {
  await ask('GET', '/userById?input=%221%22')
  await ask('GET', '/userById?input=%222%22')
  await ask('GET', '/none')
  await ask('POST', '/userCreate', { headers: { 'content-type': 'application/json' }, body: '{"name":"Ada"}' })
  await ask('GET', '/countdown?input=%7B%22from%22%3A3%7D', { headers: { accept: 'text/event-stream' } })

  const links = { batch: httpBatchLink({ url }), stream: httpBatchStreamLink({ url }) }
  for (const [name, link] of Object.entries(links)) {
    const trpc = createTRPCClient({
      links: [
        splitLink({
          condition: ({ type }) => type === 'subscription',
          true: httpSubscriptionLink({ url, EventSource }),
          false: link,
        }),
      ],
    })
    const order = []
    const seen = (value) => order.push(value)
    await Promise.all([trpc.later.query(300).then(seen), trpc.later.query(1).then(seen)])
    record(`${name}: order of a batch`, order)
    record(`${name}: query`, await trpc.userById.query('1'))
    record(`${name}: mutation`, await trpc.userCreate.mutate({ name: 'Grace' }))
    record(
      `${name}: refusal`,
      await trpc.userCreate.mutate({ name: 'x' }).catch(({ message, data }) => ({ message, ...data })),
    )
    record(`${name}: subscription`, await countdown(trpc))
  }
}

const countdown = (trpc) =>
  new Promise((resolve, reject) => {
    const heard = []
    const onData = ({ id, data }) => heard.push([id, data])
    trpc.countdown.subscribe({ from: 5 }, { onData, onError: reject, onComplete: () => resolve(heard) })
  })
