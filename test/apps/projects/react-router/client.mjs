/** The requests to the React Router app: documents, data, streamed ones, forms, resource routes and assets. */

/** @param {import('../../app.js').Site} site */
export default async function client({ ask }) {
  const { body } = await ask('GET', '/?a=1')
  await ask('HEAD', '/?a=1')
  await ask('GET', '/?a=1', { headers: { 'accept-encoding': 'gzip' }, as: 'GET with gzip' })
  await ask('GET', '/_root.data?a=1')
  await ask('GET', '/late')
  await ask('GET', '/late.data')
  await ask('GET', '/form')
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  await ask('POST', '/form', { headers: form, body: 'name=Ada' })
  await ask('GET', '/api')
  await ask('POST', '/api', { headers: { 'content-type': 'text/plain' }, body: 'text' })
  await ask('PUT', '/form', { body: 'x', headers: { 'content-type': 'text/plain' } })
  await ask('GET', '/robots.txt')
  const [script] = /\/assets\/[^"]+\.js/.exec(String(body))
  await ask('GET', script)
  await ask('GET', script, { headers: { range: 'bytes=10-20' }, as: 'GET of a range' })
  await ask('GET', '/nowhere')
}
