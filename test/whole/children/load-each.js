// Loads app files one after the other, each twice, and writes for each whether it gave an app, or why not.
import { readFileSync, writeFileSync } from 'node:fs'
import { loadApp, reloadApp } from '../../../dist/src/cli/load/app-file.js'

const [mains, results] = process.argv.slice(2)
const said = {}
/** A server of Node's own has a handle of libuv. */
const isOpen = (app) => app._handle?.constructor.name === 'TCP'
for (const [what, file] of JSON.parse(readFileSync(mains, 'utf8'))) {
  try {
    const options = { listen: 'app', followed: false, tell() {} }
    const first = await loadApp(file, options)
    const second = await reloadApp(file, options)
    const opened = isOpen(first.app) || isOpen(second.app)
    said[what] = opened
      ? 'an open port'
      : first.app === undefined
        ? 'none'
        : first.app === second.app
          ? 'not loaded anew'
          : 'an app'
  } catch (error) {
    said[what] = `${error}\n${error.cause?.stack}`
  }
}
writeFileSync(results, JSON.stringify(said))
process.exit()
