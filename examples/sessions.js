/** Sessions of users as entries of the space, so that any worker can serve anyone. Run it: node examples/sessions.js */
import { createClient, openSpace } from 'takespace'
import { fetchSessions, session } from 'takespace/session'
import { createWorker } from 'takespace/workers'

const space = await openSpace('memory:')
const sessions = fetchSessions({ space, secret: 'at least thirty-two characters, from the environment' })

const app = (name) => ({
  fetch: sessions.wrap((request) => {
    const visits = (session(request).get('visits') ?? 0) + 1
    session(request).set('visits', visits)
    return new Response(`visit ${visits}, served by ${name}`)
  }),
})

// Two workers, for two services, so that this program decides which of them serves.
for (const service of ['blue', 'green']) await createWorker({ space, service, app: app(service) }).start()
const client = createClient({ space })

let cookie = ''
for (const service of ['blue', 'green', 'blue']) {
  const response = await client.fetch('/', { service, headers: cookie ? { cookie } : {} })
  cookie = response.headers.get('set-cookie')?.split(';')[0] ?? cookie
  console.log(await response.text())
}
console.log('without a cookie:', await (await client.fetch('/', { service: 'green' })).text())

await space.close()

/* Output:
visit 1, served by blue
visit 2, served by green
visit 3, served by blue
without a cookie: visit 1, served by green
*/
