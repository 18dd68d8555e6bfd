// An app for fault tests: a POST writes one entry and is answered when that is acknowledged; a GET takes ?ms=. Both are in the ledger.
import { appendFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { defineEntry, isSpaceError, openSpace } from '../../../dist/src/index.js'

const { LEDGER, TAKESPACE_URL, TAKESPACE_DURABILITY } = process.env
const Order = defineEntry('Order')
const space = await openSpace(TAKESPACE_URL, { durability: TAKESPACE_DURABILITY })
const note = (what, url) => appendFileSync(LEDGER, `${what} ${url} ${process.pid} ${Date.now()}\n`)

export default async (req, res) => {
  const { url, method } = req
  note('begin', url)
  req.resume()
  try {
    if (method === 'POST') await space.write(Order({ url }))
    else await pause(Number(new URL(url, 'http://app').searchParams.get('ms')))
    note('end', url)
    res.end(String(process.pid))
  } catch (error) {
    // What an app does that passes on what it knows: of an unknown outcome too.
    res.statusCode = isSpaceError(error) ? (error.status ?? 503) : 500
    res.end(`${error.code}: ${error.message}`)
  }
}
