/** Another site, open in the same browser, tries what it can to act on a dashboard or to read it. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { auditTrail } from '../../src/control/audit.js'
import { pausesIn } from '../../src/control/pauses.js'
import { ALL_RIGHTS } from '../../src/dashboard/rights.js'
import { ROUTES } from '../../src/dashboard/routes.js'
import { startRedis } from '../support/redis.js'
import { startBrowser } from './browser.js'
import { openRoom } from './room.js'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
const BODY = '{"what":"service","name":"web"}'

/** Returns how many requests were tried. */
export async function attack(): Promise<number> {
  const redis = await startRedis()
  const room = await openRoom(redis, 'attacked', { rights: ALL_RIGHTS })
  const { port } = new URL(room.url)
  const evil = createServer(
    (_req, res) => void res.setHeader('content-type', 'text/html').end('<!doctype html><p>evil'),
  )
  await new Promise<void>((resolve) => evil.listen(0, '127.0.0.1', resolve))
  const evilPort = (evil.address() as AddressInfo).port
  const browser = await startBrowser(['--host-resolver-rules=MAP *.example 127.0.0.1'])
  let tried = 0
  try {
    const page = await browser.context.newPage()
    // Another port of this machine, and another site.
    for (const from of [`http://127.0.0.1:${evilPort}/`, `http://evil.example:${evilPort}/`]) {
      await page.goto(from)
      for (const { path } of ROUTES.filter(({ path }) => !path.includes(':') && !path.endsWith('/events'))) {
        for (const method of METHODS) {
          for (const type of ['application/json', 'text/plain', 'application/x-www-form-urlencoded']) {
            const hasBody = method !== 'GET' && method !== 'HEAD'
            const options = {
              method,
              mode: type === 'application/json' ? 'cors' : 'no-cors',
              headers: { 'Content-Type': type },
              ...(hasBody && { body: BODY }),
            }
            const asked = `fetch(${JSON.stringify(room.url + path.slice(1))}, ${JSON.stringify(options)})`
            const read = await page.evaluate<string>(`${asked}.then((r) => r.text(), () => '')`)
            assert.equal(read, '', `${from} has read ${path}`)
            tried++
          }
        }
      }
      // A form with an encoding that looks like JSON, an image, and a beacon.
      await page.setContent(`<form action="${room.url}api/v1/pause" method="post" enctype="text/plain">
        <input name='{"what":"service","name":"web","x":"' value='"}'></form><img src="${room.url}api/v1/pause">`)
      await page.evaluate(
        `navigator.sendBeacon('${room.url}api/v1/pause', new Blob(['${BODY}'], { type: 'application/json' }))`,
      )
      await page.evaluate('document.forms[0].submit()')
      await page.waitForURL(`${room.url}api/v1/pause`)
      tried += 3
    }
    // DNS rebinding: a page whose name is made to resolve to this machine asks its own origin.
    const rebound = await page.goto(`http://rebound.example:${port}/`)
    assert.equal(rebound?.status(), 421)
    const framed = await browser.context.newPage()
    await framed.goto(`http://127.0.0.1:${evilPort}/`)
    await framed.setContent(`<iframe src="${room.url}"></iframe>`)
    await framed.waitForLoadState()
    const frame = framed.frames().find((each) => each !== framed.mainFrame())
    assert.equal(await frame?.evaluate(`document.body?.innerText.includes('Services')`).catch(() => false), false)
    assert.deepEqual(await pausesIn(room.space), [])
    assert.deepEqual(await auditTrail(room.space), [])
    return tried + 2
  } finally {
    await browser.close()
    await room.close()
    evil.close()
    await redis.stop()
  }
}
