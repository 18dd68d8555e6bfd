/** The requests to the Next.js app: static and dynamic pages, streamed ones, route handlers and assets. */

/** @param {import('../../app.js').Site} site */
export default async function client({ ask }) {
  const { body } = await ask('GET', '/')
  await ask('HEAD', '/')
  await ask('GET', '/users/7')
  await ask('GET', '/users/0')
  await ask('GET', '/late')
  await ask('GET', '/users/7', { headers: { rsc: '1' }, as: 'GET of the payload of a page' })
  await ask('GET', '/robots.txt')
  const [script] = /\/_next\/static\/[^"]+\.js/.exec(String(body))
  await ask('GET', script, { headers: { 'accept-encoding': 'gzip' } })
  await ask('GET', '/api/echo')
  await ask('POST', '/api/echo?a=1', { headers: { 'content-type': 'application/json' }, body: '{"text":"é"}' })
  await ask('POST', '/api/echo', {
    headers: { 'content-type': 'application/json' },
    body: '{',
    as: 'POST of malformed JSON',
  })
  await ask('DELETE', '/api/echo')
  await ask('GET', '/nowhere')
  await ask('GET', '/users/7/', { as: 'GET with a slash at the end' })
}
