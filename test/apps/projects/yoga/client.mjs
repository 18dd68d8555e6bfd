/** The requests to graphql-yoga: queries, mutations, malformed ones, and subscriptions both ways. */
import { createClient } from 'graphql-ws'
import WebSocket from 'ws'

const json = { 'content-type': 'application/json' }
const asking = (query, variables) => ({ headers: json, body: JSON.stringify({ query, variables }) })

/** @param {import('../../app.js').Site} site */
export default async function client({ url, ask, record }) {
  await ask('GET', `/graphql?query=${encodeURIComponent('{ hello }')}`)
  await ask('POST', '/graphql', { ...asking('query($n: String) { hello(name: $n) }', { n: 'é' }), as: 'query' })
  await ask('POST', '/graphql', { ...asking('mutation { add(a: 1, b: 2) }'), as: 'mutation' })
  await ask('POST', '/graphql', { ...asking('{ none }'), as: 'query of an unknown field' })
  await ask('POST', '/graphql', { headers: json, body: '{', as: 'malformed JSON' })
  await ask('OPTIONS', '/graphql', { headers: { origin: 'http://a.example', 'access-control-request-method': 'POST' } })
  await ask('GET', '/graphql', { headers: { accept: 'text/html' }, as: 'GraphiQL' })
  await ask('GET', '/nowhere')
  const subscription = asking('subscription { countdown(from: 3) }')
  const headers = { ...json, accept: 'text/event-stream' }
  await ask('POST', '/graphql', { ...subscription, headers, as: 'subscription by events' })
  record('subscription by WebSocket', await countdown(`${url.replace('http', 'ws')}/graphql`))
}

async function countdown(url) {
  const client = createClient({ url, webSocketImpl: WebSocket })
  const heard = []
  for await (const { data } of client.iterate({ query: 'subscription { countdown(from: 5) }' })) heard.push(data)
  await client.dispose()
  return heard
}
