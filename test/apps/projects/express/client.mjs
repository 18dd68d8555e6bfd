/** The requests to the Express apps. @param {import('../../app.js').Site} site */
export default async function client({ ask }) {
  const json = { 'content-type': 'application/json' }
  await ask('GET', '/')
  await ask('HEAD', '/')
  await ask('OPTIONS', '/users/1')
  const { fields } = await ask('GET', '/users/7?a=1&b=2&b=3')
  const etag = fields.find(([name]) => name === 'etag')[1]
  await ask('GET', '/users/7?a=1&b=2&b=3', { headers: { 'if-none-match': etag }, as: 'GET with If-None-Match' })
  await ask('POST', '/users', { headers: json, body: JSON.stringify({ name: 'Ada', text: 'é€😀' }) })
  await ask('POST', '/users', { headers: json, body: '{"broken', as: 'POST of malformed JSON' })
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  await ask('POST', '/users', { headers: form, body: 'a=1&b=x+y', as: 'POST of a form' })
  await ask('POST', '/users', { headers: json, body: `"${'x'.repeat(200_000)}"`, as: 'POST over the limit of the app' })
  await ask('GET', '/cookies', { headers: { cookie: 'x=1; y=2' } })
  await ask('GET', '/old')
  await ask('GET', '/lines')
  await ask('GET', '/static/style.css')
  await ask('GET', '/static/style.css', { headers: { range: 'bytes=0-3' }, as: 'GET of a range' })
  await ask('GET', '/static/none.css')
  await ask('GET', '/broken')
  await ask('DELETE', '/none')
}
