/** An upload of 200 MB by tus-js-client; the process that stores it is killed half-way, and the upload is resumed. */
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, createWriteStream, statSync } from 'node:fs'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { Upload } from 'tus-js-client'

const MB = 1_048_576
const SIZE = 200 * MB

/** @param {import('../../app.js').Site} site */
export default async function client(site) {
  const { url, data, ask, record } = site
  const version = { 'tus-resumable': '1.0.0' }
  const id = [/files\/[0-9a-f]{32}/g, 'files/ID']
  await ask('OPTIONS', '/files')
  await ask('POST', '/files', { headers: version, as: 'POST without a length' })
  await ask('HEAD', '/files/none', { headers: version })
  const created = await ask('POST', '/files', { headers: { ...version, 'upload-length': '5' }, mask: [id] })
  const [, location] = created.fields.find(([name]) => name === 'location')
  const { pathname } = new URL(location, url)
  const part = { ...version, 'content-type': 'application/offset+octet-stream' }
  await ask('PATCH', pathname, {
    headers: { ...part, 'upload-offset': '3' },
    body: 'ab',
    as: 'PATCH at a wrong offset',
  })
  await ask('PATCH', pathname, { headers: { ...part, 'upload-offset': '0' }, body: 'abcde', as: 'PATCH' })
  await ask('HEAD', pathname, { headers: version, as: 'HEAD' })

  const source = join(data, 'source')
  await fill(source)
  let crashed
  let retries = 0
  const location2 = await new Promise((resolve, reject) => {
    const upload = new Upload(createReadStream(source), {
      endpoint: `${url}/files`,
      uploadSize: SIZE,
      chunkSize: 32 * MB,
      retryDelays: Array.from({ length: 30 }, () => 1_000),
      metadata: { filename: 'source' },
      onProgress: (sent) => {
        if (sent > SIZE / 2) crashed ??= site.crash().catch(reject)
      },
      onShouldRetry: () => ++retries > 0,
      onError: reject,
      onSuccess: () => resolve(upload.url),
    })
    upload.start()
  })
  await crashed
  record('resumed', retries > 0)
  const stored = join(data, 'files', new URL(location2).pathname.split('/').at(-1))
  record('bytes stored', statSync(stored).size)
  record('stored whole', (await digest(stored)) === (await digest(source)))
}

async function fill(file) {
  const out = createWriteStream(file)
  const random = randomBytes(MB)
  for (let i = 0; i < SIZE / MB; i++) {
    random.writeUInt32LE(i, 0)
    if (!out.write(Buffer.from(random))) await new Promise((resolve) => out.once('drain', resolve))
  }
  out.end()
  await finished(out)
}

async function digest(file) {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file)) hash.update(chunk)
  return hash.digest('hex')
}
