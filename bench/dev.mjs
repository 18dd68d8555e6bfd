/**
 * `takespace dev` beside an app that writes into its own folder, then edited: `node bench/dev.mjs --seconds 60 --edits 50`. Prints how often it was
 * reloaded by the writes (0 is right), and the time from the save of an imported file to the first answer of the new code.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, edits: { type: 'string', default: '50' } },
})
const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'takespace-bench-dev-'))
symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))

const version = (n) => `export const version: string = '${n}'\n`
writeFileSync(join(folder, 'version.ts'), version(0))
writeFileSync(
  join(folder, 'app.ts'),
  `import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import express from 'express'
import { version } from './version.js'
const app = express()
mkdirSync(join(__dirname, 'uploads'), { recursive: true })
app.get('/', (_req, res) => { res.send(version) })
app.post('/', (_req, res) => {
  for (const name of ['app.log', 'data.sqlite', 'state.json']) appendFileSync(join(__dirname, name), 'x')
  const name = Math.random().toString(16).slice(2)
  for (const each of [name, name + '.png', name + '.js']) writeFileSync(join(__dirname, 'uploads', each), 'x')
  res.end()
})
app.listen(3000)
`,
)

const dev = spawn(
  process.execPath,
  [join(root, 'dist/src/cli/main.js'), 'dev', join(folder, 'app.ts'), '--port', '0'],
  {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, LOG_LEVEL: 'silent' },
  },
)
let said = ''
dev.stdout.on('data', (text) => (said += text))
const until = async (test) => {
  for (const end = Date.now() + 30_000; Date.now() < end; await pause(5)) {
    const found = await test()
    if (found) return found
  }
  throw new Error(`30 s have passed. dev said:\n${said}`)
}
const url = (await until(() => /Open\s+(http:\S+)\//.exec(said)))[1]
const reloads = () => said.match(/reloaded in/g)?.length ?? 0

let writes = 0
for (const end = Date.now() + Number(values.seconds) * 1_000; Date.now() < end; await pause(50)) {
  await (await fetch(url, { method: 'POST' })).text()
  writes++
}
console.log(`${writes} requests that write 6 files each, ${values.seconds} s: ${reloads()} reloads`)

const times = []
for (let n = 1; n <= Number(values.edits); n++) {
  const since = performance.now()
  writeFileSync(join(folder, 'version.ts'), version(n))
  await until(async () => (await (await fetch(url)).text()) === String(n))
  times.push(performance.now() - since)
}
times.sort((a, b) => a - b)
const at = (share) => Math.round(times[Math.min(times.length - 1, Math.floor(times.length * share))])
console.log(`${times.length} edits: new code after ${at(0.5)} ms (median), ${at(0.9)} ms (90 %), ${at(1)} ms (longest)`)

dev.kill('SIGTERM')
await new Promise((resolve) => dev.on('exit', resolve))
rmSync(folder, { recursive: true, force: true })
