/** Serves app files one after the other in one process, each as `takespace dev` does, and writes what they answer. */
import { readFileSync, writeFileSync } from 'node:fs'
import { WebSocket } from 'ws'
import { createGateway } from '../../../dist/gateway/index.js'
import { loadApp } from '../../../dist/src/cli/load/app-file.js'
import { openSpace } from '../../../dist/src/index.js'
import { createWorker } from '../../../dist/workers/index.js'

const [, , filesFile, resultsFile] = process.argv

async function answers(name, file) {
  const served = await loadApp(file, { listen: 'app', tell: () => {} })
  const space = await openSpace('memory:')
  const gateway = createGateway({ space, port: 0 })
  const worker = createWorker({ space, app: served.app })
  await worker.start()
  await gateway.start()
  try {
    const response = await fetch(gateway.url, { headers: { connection: 'close' } })
    const text = await response.text()
    return name === 'ws' ? [text, await echo(gateway.url)] : [text]
  } finally {
    await space.close()
    await served.close?.()
  }
}

const echo = (url) =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(url.replace('http', 'ws'))
    socket.on('error', reject)
    socket.on('open', () => socket.send('a word'))
    socket.on('message', (message) => {
      resolve(String(message))
      socket.close()
    })
  })

const results = {}
for (const [name, file] of JSON.parse(readFileSync(filesFile, 'utf8'))) {
  results[name] = await answers(name, file).catch((error) => String(error))
}
writeFileSync(resultsFile, JSON.stringify(results))
process.exit(0)
