/**
 * `npm run test:apps`: runs real apps from npm as their documentation has them, directly, behind gateway and workers, and under `takespace dev`; one
 * client script asks all three, and what they answer is compared.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { startRedis } from '../support/redis.js'
import { endAll } from '../support/watchdog.js'
import { type App, type Site, WAYS, type Way } from './app.js'
import { apps } from './apps.js'
import { install, versions } from './install.js'
import { differences, type Found, Records } from './records.js'
import { startSite, type Terms } from './site.js'
import { details, isGood, type Outcome, table } from './table.js'

const { values } = parseArgs({
  options: {
    /** Names of apps, separated by commas. */
    only: { type: 'string' },
  },
})

/** All of one way: to start, to be asked, to end. */
const MOST_MS = 300_000

const chosen = values.only ? values.only.split(',').map(named) : apps

function named(name: string): App {
  const app = apps.find((each) => each.name === name)
  if (!app) throw new Error(`There is no app ${name}; there are ${apps.map((each) => each.name).join(', ')}.`)
  return app
}

async function runWay(app: App, way: Way, terms: Terms): Promise<void> {
  rmSync(terms.data, { recursive: true, force: true })
  mkdirSync(terms.data, { recursive: true })
  const client = await import(pathToFileURL(join(terms.folder, 'client.mjs')).href)
  const ask: (site: Site) => Promise<void> = client.default
  const site = await startSite(app, way, terms)
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${MOST_MS / 1_000} s`)), MOST_MS)
  })
  try {
    await Promise.race([ask(site), late])
  } catch (cause) {
    const { stack } = cause as Error
    throw new Error(`${stack}\n--- output of its processes, the last of it:\n${site.output().slice(-3_000)}`)
  } finally {
    clearTimeout(timer)
    await site.end()
    writeFileSync(join(terms.folder, `${way}.log`), site.output())
  }
}

async function runApp(app: App, redis: string): Promise<Outcome> {
  const ways = new Map<Way, number | Error>()
  const found: Found[] = []
  const begun = performance.now()
  const outcome = { name: app.name, processes: app.processes, whyOne: app.whyOne, ways, found }
  let folder: string
  try {
    folder = await install(app)
  } catch (failure) {
    const seconds = [(performance.now() - begun) / 1_000, 0] as const
    return { ...outcome, versions: [], seconds, failure: failure as Error }
  }
  const installed = performance.now()
  const direct = new Records()
  for (const way of WAYS) {
    const records = way === 'direct' ? direct : new Records()
    try {
      await runWay(app, way, { folder, data: join(folder, 'data'), redis, records })
      ways.set(way, records.count)
      if (way !== 'direct') found.push(...differences(app, way, direct, records))
    } catch (error) {
      ways.set(way, error as Error)
    }
  }
  const seconds = [(installed - begun) / 1_000, (performance.now() - installed) / 1_000] as const
  return { ...outcome, versions: versions(app, folder), seconds, failure: undefined }
}

const redis = await startRedis()
const outcomes: Outcome[] = []
try {
  for (const app of chosen) {
    console.log(`${app.name} …`)
    const outcome = await runApp(app, redis.url)
    outcomes.push(outcome)
    for (const line of details(outcome)) console.log(line)
  }
} finally {
  await redis.stop()
  endAll()
}
console.log(['', ...table(outcomes)].join('\n'))
const bad = outcomes.filter((outcome) => !isGood(outcome))
console.log(bad.length === 0 ? 'no unexplained difference' : `to look at: ${bad.map(({ name }) => name).join(', ')}`)
process.exit(bad.length === 0 ? 0 : 1)
