/** The real npm client: it publishes a package of 3 MB, looks it up, and installs it. */
import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** @param {import('../../app.js').Site} site */
export default async function client({ url, data, ask, record }) {
  const registry = `${url}/`
  const [made, using] = [join(data, 'made'), join(data, 'using')]
  for (const folder of [made, using]) mkdirSync(folder)
  const npmrc = join(data, 'npmrc')
  writeFileSync(npmrc, `registry=${registry}\n//${new URL(url).host}/:_authToken=anybody\n`)
  const npm = async (cwd, ...args) => {
    const flags = [
      '--userconfig',
      npmrc,
      '--registry',
      registry,
      '--cache',
      join(data, 'cache'),
      '--no-audit',
      '--no-fund',
    ]
    const env = { PATH: process.env.PATH, HOME: data }
    const { stdout } = await run('npm', [...args, ...flags], { cwd, env, timeout: 120_000, killSignal: 'SIGKILL' })
    return stdout.trim()
  }

  await ask('GET', '/-/ping')
  await ask('GET', '/takespace-sample', { as: 'GET before it is published' })

  const large = randomBytes(3_000_000)
  writeFileSync(join(made, 'package.json'), '{ "name": "takespace-sample", "version": "1.2.3", "main": "index.js" }')
  writeFileSync(join(made, 'index.js'), 'module.exports = "sample"\n')
  writeFileSync(join(made, 'large.bin'), large)
  record('npm publish', await npm(made, 'publish'))
  record(
    'npm publish once more',
    await npm(made, 'publish').then(String, (error) => /npm error code (\w+)/.exec(error.stderr)?.[1]),
  )
  record('npm view', JSON.parse(await npm(using, 'view', 'takespace-sample', 'name', 'version', 'dist-tags', '--json')))

  writeFileSync(join(using, 'package.json'), '{ "private": true }')
  await npm(using, 'install', 'takespace-sample')
  const installed = readFileSync(join(using, 'node_modules/takespace-sample/large.bin'))
  record('installed whole', digest(installed) === digest(large))
  await npm(using, 'dist-tag', 'add', 'takespace-sample@1.2.3', 'old')
  record('dist-tags', await npm(using, 'dist-tag', 'ls', 'takespace-sample'))
  await ask('GET', '/-/package/takespace-sample/dist-tags')
  await ask('GET', '/takespace-sample/-/none.tgz')
}

const digest = (bytes) => createHash('sha256').update(bytes).digest('hex')
