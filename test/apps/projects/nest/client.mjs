/** The requests to the Nest apps; at last their shutdown under a request. */
import WebSocket from 'ws'

/** @param {import('../../app.js').Site} site */
export default async function client(site) {
  const { ask, record } = site
  const json = { 'content-type': 'application/json' }
  await ask('GET', '/')
  await ask('HEAD', '/')
  await ask('GET', '/cats/3?name=Tom')
  await ask('GET', '/cats/33')
  await ask('GET', '/cats/three')
  await ask('POST', '/cats', { headers: json, body: '{"name":"Tom"}' })
  await ask('POST', '/cats', { headers: json, body: '{"name', as: 'POST of malformed JSON' })
  await ask('PUT', '/cats', { headers: json, body: '{}' })
  await ask('GET', '/nowhere')

  record('messages', await messages(site.url))

  const slow = ask('POST', '/slow', { as: 'answer during the stop' })
  await site.line(/slow request begun/)
  const said = await site.stop()
  const { body } = await slow
  record('database was open when the answer was made', JSON.parse(body).open)
  record('hooks called', said.match(/module destroyed|database closed/g)?.slice(-2))
}

/** Resolves with what the gateway says, in order. */
function messages(url) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/events`)
    const heard = []
    socket.on('error', reject)
    socket.on('open', () => {
      socket.send(JSON.stringify({ event: 'events' }))
    })
    socket.on('message', (message) => {
      heard.push(JSON.parse(String(message)))
      if (heard.length === 3) socket.send(JSON.stringify({ event: 'open', data: 'are you there?' }))
      if (heard.length === 4) socket.close()
    })
    socket.on('close', () => resolve(heard))
  })
}
