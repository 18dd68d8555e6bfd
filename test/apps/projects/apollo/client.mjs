/** The requests to Apollo Server: queries, mutations, malformed ones, and what its protection against CSRF refuses. */
const json = { 'content-type': 'application/json' }
const asking = (query, variables) => ({ headers: json, body: JSON.stringify({ query, variables }) })

/** @param {import('../../app.js').Site} site */
export default async function client({ ask }) {
  await ask('POST', '/', { ...asking('{ books { title author } }'), as: 'query' })
  await ask('POST', '/', {
    ...asking('mutation($t: String) { addBook(title: $t) { title } }', { t: 'é' }),
    as: 'mutation',
  })
  await ask('POST', '/', { ...asking('{ none }'), as: 'query of an unknown field' })
  await ask('POST', '/', { ...asking('{ fails }'), as: 'query that fails' })
  await ask('POST', '/', { headers: json, body: '{', as: 'malformed JSON' })
  await ask('GET', `/?query=${encodeURIComponent('{ books { title } }')}`, { as: 'GET without preflight' })
  await ask('GET', `/?query=${encodeURIComponent('{ books { title } }')}`, {
    headers: { 'apollo-require-preflight': 'true' },
    as: 'GET',
  })
  await ask('OPTIONS', '/', { headers: { origin: 'http://a.example', 'access-control-request-method': 'POST' } })
}
