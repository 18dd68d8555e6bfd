/** Settings by flag, environment, config file and default, as `takespace config` tells them and as a command uses them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from '@jest/globals'
import { isLong } from '../faults/form.js'
import { failOnLeaks } from '../support/leaks.js'
import { freePort } from '../support/port.js'
import { startProcess } from '../support/process.js'

const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

const folderWith = (name: string, text: string): string => {
  const folder = mkdtempSync(join(tmpdir(), 'takespace-config-'))
  folders.push(folder)
  writeFileSync(join(folder, 'package.json'), '{}')
  writeFileSync(join(folder, name), text)
  return folder
}

type Settings = Record<string, { value: unknown; from: string }>

async function effective(cwd: string, env: Record<string, string> = {}, args: string[] = []): Promise<Settings> {
  const process = startProcess(['takespace', 'config', '--json', ...args], { cwd, env })
  expect(await process.exited).toEqual({ code: 0, signal: null })
  const listed: { name: string; value: unknown; from: string }[] = JSON.parse(process.output())
  return Object.fromEntries(listed.map(({ name, value, from }) => [name, { value, from }]))
}

test('a flag wins over the environment, that over the file, the file over the default', async () => {
  const cwd = folderWith('takespace.config.json', '{ "port": 1, "concurrency": 2, "name": "filed" }')
  const env = { PORT: '11', TAKESPACE_CONCURRENCY: '12' }
  const settings = await effective(cwd, env, ['--port', '21'])
  expect(settings).toMatchObject({
    port: { value: 21, from: '--port' },
    concurrency: { value: 12, from: 'TAKESPACE_CONCURRENCY' },
    name: { value: 'filed', from: 'takespace.config.json' },
    processes: { value: 1, from: 'default' },
    url: { value: 'redis://127.0.0.1:6379', from: 'default' },
    logLevel: { value: 'info', from: 'default' },
  })
})

test.each<[string, unknown]>([
  ['loopback, 10.0.0.0/8', 'loopback, 10.0.0.0/8'],
  ['2', 2],
])('trusted proxies by flag, environment and file: %s', async (text, value) => {
  const list = typeof value === 'string' ? value.split(', ') : value
  const cwd = folderWith('takespace.config.json', JSON.stringify({ trustProxy: list }))
  expect((await effective(cwd, {}, ['--trust-proxy', text])).trustProxy).toEqual({ value, from: '--trust-proxy' })
  expect((await effective(cwd, { TAKESPACE_TRUST_PROXY: text })).trustProxy?.value).toEqual(value)
  expect((await effective(cwd)).trustProxy?.value).toEqual(typeof list === 'object' ? String(list) : value)
})

test('proxies that are none are refused by name', async () => {
  const started = startProcess(['takespace', 'gateway', '--trust-proxy', 'nginx'], { cwd: folderWith('none', '') })
  expect(await started.exited).toEqual({ code: 2, signal: null })
  expect(started.output()).toMatch(
    /--trust-proxy <proxies>' argument 'nginx' is invalid. It must be a number of proxies/,
  )
})

test.each([
  ['takespace.config.js', 'module.exports = { port: 7 }'],
  ['takespace.config.mjs', 'export default { port: 7 }'],
  ['takespace.config.ts', 'const port: number = 7\nexport default { port }'],
  ['takespace.config.json', '{ "port": "7" }'],
  ['other.cts', 'exports.__esModule = true; exports.default = { port: 7 as number }'],
])('%s', async (name, text) => {
  const args = name === 'takespace.config.json' ? [] : ['--config', name]
  expect((await effective(folderWith(name, text), {}, args)).port).toEqual({ value: 7, from: name })
})

test('the address: TAKESPACE_URL, else REDIS_URL, else the file; its password is not shown', async () => {
  const cwd = folderWith('takespace.config.json', '{ "url": "redis://:s3cret@filed:1" }')
  const ours = { TAKESPACE_URL: 'redis://u:s3cret@ours:1', REDIS_URL: 'redis://u:s3cret@hosted:1' }
  expect((await effective(cwd, ours)).url).toEqual({ value: 'redis://u:***@ours:1', from: 'TAKESPACE_URL' })
  expect((await effective(cwd, { ...ours, TAKESPACE_URL: '' })).url).toEqual({
    value: 'redis://u:***@hosted:1',
    from: 'REDIS_URL',
  })
  expect((await effective(cwd)).url).toEqual({ value: 'redis://:***@filed:1', from: 'takespace.config.json' })
})

test('what Kubernetes puts into the environment beside a service named takespace is nobody’s setting', async () => {
  const env = { TAKESPACE_PORT: 'tcp://10.0.0.1:80', TAKESPACE_SERVICE_HOST: '10.0.0.1', TAKESPACE_SERVICE_PORT: '80' }
  const more = { TAKESPACE_PORT_80_TCP: 'tcp://10.0.0.1:80', TAKESPACE_PORT_80_TCP_ADDR: '10.0.0.1' }
  const named = { TAKESPACE_ADMIN_PORT: 'tcp://10.0.0.2:80', TAKESPACE_GATEWAY_SERVICE_PORT_HTTP: '80' }
  const settings = await effective(folderWith('none', ''), { ...env, ...more, ...named })
  expect(settings.port).toEqual({ value: 8080, from: 'default' })
  expect(settings.adminPort).toEqual({ value: null, from: 'default' })
})

test('as a table for people', async () => {
  const process = startProcess(['takespace', 'config'], { cwd: folderWith('none', ''), env: { PORT: '99' } })
  await process.exited
  expect(process.output()).toMatch(/^setting\s+value\s+from\n/)
  expect(process.output()).toMatch(/^port\s+99\s+PORT$/m)
})

test('a command goes by the file', async () => {
  const port = await freePort()
  const cwd = folderWith('takespace.config.mjs', `export default { port: ${port}, logLevel: 'silent' }`)
  writeFileSync(join(cwd, 'app.ts'), "export default (req: unknown, res: any) => res.end('by the file')")
  const dev = startProcess(['takespace', 'dev', 'app.ts'], { cwd })
  await dev.line(new RegExp(`Open\\s+http://127.0.0.1:${port}/`))
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('by the file')
  expect(dev.output()).not.toContain('"msg"')
  dev.kill()
  expect((await dev.exited).code).toBe(0)
})

const COMMANDS: readonly (readonly [string, readonly string[]])[] = [
  ['config', ['config', '--json']],
  ['doctor', ['doctor', '--url', 'redis://127.0.0.1:1']],
  ['ls', ['ls', '--url', 'redis://127.0.0.1:1']],
  ['show', ['dead', 'show', 'x', '--url', 'redis://127.0.0.1:1']],
  ['acl', ['acl', 'worker']],
]
test.each(isLong ? COMMANDS : COMMANDS.slice(0, 2))(
  '%s does not execute a config file that it finds, only one that is named',
  async (command, args) => {
    const cwd = folderWith('takespace.config.mjs', "console.log('EXECUTED')\nexport default { logLevel: 'silent' }")
    const found = startProcess(['takespace', ...args], { cwd })
    await found.exited
    expect(found.output()).toMatch(
      new RegExp(`takespace.config.mjs is code, and not executed by ${command}: .* --config takespace.config.mjs`),
    )
    expect(found.output()).not.toMatch(/EXECUTED/)
    const named = startProcess(['takespace', ...args, '--config', 'takespace.config.mjs'], { cwd })
    await named.exited
    expect(named.output()).toMatch(/EXECUTED/)
  },
)

failOnLeaks()
