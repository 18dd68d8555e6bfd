/**
 * `npm run test:express -- FOLDER`: runs the tests of a checkout of Express directly, and with each app behind a gateway
 * and Redis, and compares the results. Exits with 1 if a difference has no reason in `reasons.ts`.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { run } from '../apps/install.js'
import { startRedis } from '../support/redis.js'
import { REASONS } from './reasons.js'
import { type Difference, differencesOf, type Results, readResults } from './results.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    /** How often the tests run through takespace. */
    runs: { type: 'string', default: '1' },
    /** With spaces in memory instead of Redis. */
    memory: { type: 'boolean', default: false },
  },
})

/** Of a test. Mocha's 2 s are too few on a busy machine, also without takespace. */
const MOST_MS = 20_000

const PRELOAD = fileURLToPath(new URL('preload.mjs', import.meta.url))
const RESULTS = fileURLToPath(new URL('../../.cache/express', import.meta.url))

const folder = resolve(positionals[0] ?? '.')
if (!existsSync(join(folder, 'test', 'express.static.js'))) {
  console.error('Name a checkout of github.com/expressjs/express: npm run test:express -- ../express')
  process.exit(2)
}

async function runTests(name: string, preload: readonly string[], env: Record<string, string>): Promise<Results> {
  const file = join(RESULTS, `${name}.json`)
  rmSync(file, { force: true })
  const reporter = ['--reporter', 'json', '--reporter-option', `output=${file}`]
  const terms = ['--check-leaks', '--timeout', String(MOST_MS)]
  const args = ['--require', 'test/support/env', ...preload, ...reporter, ...terms, 'test/', 'test/acceptance/']
  // Mocha ends with the number of failed tests.
  await run(folder, 'mocha', args, env).catch((error) => {
    if (!existsSync(file)) throw error
  })
  return readResults(file)
}

const reasonOf = ({ title }: Difference): string | undefined => REASONS.find(({ tests }) => tests.test(title))?.why

/** Prints a run. Returns the number of differences without a reason. */
function report(tests: number, servers: string, differences: readonly Difference[]): number {
  const unexplained = differences.filter((each) => !reasonOf(each))
  console.log(
    `${tests - differences.length} of ${tests} tests have the same result; ${servers} servers behind a gateway`,
  )
  for (const { why } of REASONS) {
    const count = differences.filter((each) => reasonOf(each) === why).length
    if (count > 0) console.log(`  ${count}  ${why}`)
  }
  for (const { title, direct, through } of unexplained)
    console.log(`  no reason: ${title}\n    directly: ${direct}\n    through takespace: ${through}`)
  return unexplained.length
}

mkdirSync(RESULTS, { recursive: true })
if (!existsSync(join(folder, 'node_modules'))) await run(folder, 'npm', ['install', '--no-audit', '--no-fund'])
const direct = await runTests('direct', [], {})
const redis = values.memory ? undefined : await startRedis()
const countFile = join(RESULTS, 'servers')
let unexplained = 0
try {
  for (let i = 1; i <= Number(values.runs); i++) {
    rmSync(countFile, { force: true })
    const env = { SUITE_SPACE: redis?.url ?? 'memory:', SUITE_COUNT: countFile }
    const through = await runTests(`through-${i}`, ['--require', PRELOAD], env)
    const servers = existsSync(countFile) ? readFileSync(countFile, 'utf8') : '0'
    if (servers === '0') throw new Error('No server was behind a gateway: the preload had no effect.')
    const titles = new Set([...direct.keys(), ...through.keys()])
    unexplained += report(titles.size, servers, differencesOf(direct, through))
  }
} finally {
  await redis?.stop()
}
process.exit(unexplained === 0 ? 0 : 1)
