/** test:create: from an empty folder to a served and tested project, as docs/start.md says, with the packed packages; says how long each step takes. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startProcess } from '../support/process.js'
import { emptyFolder, FRAMEWORKS, LANGUAGES, removeFolder, runScript } from './new-project.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** Asked of the page "five minutes". */
const MOST_SECONDS = 60

/** Packs a package. Returns the path of its file. */
function packed(folder: string, into: string): string {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', into]
  const [{ filename }] = JSON.parse(
    execFileSync('npm', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
  ) as [{ filename: string }]
  return join(into, filename)
}

/** Runs a command to its end. Returns how many seconds it took. @throws Error with its output if it fails */
async function timed(command: readonly string[], cwd: string): Promise<number> {
  const since = performance.now()
  const ran = startProcess(command, { cwd })
  const { code } = await ran.exited
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}:\n${ran.output()}`)
  return (performance.now() - since) / 1_000
}

/** Serves a project by its own command until it has answered a request and run a task. Returns how many seconds that took. */
async function served(project: string, language: string): Promise<number> {
  const since = performance.now()
  const command = join(project, 'node_modules', 'takespace', 'dist', 'src', 'cli', 'main.js')
  const dev = startProcess([command, 'dev', `src/app.${language}`, '--port', '0'], { cwd: project })
  const [, url] = await dev.line(/(http:\/\/127\.0\.0\.1:\d+)/)
  const hello = await fetch(`${url}/`)
  const posted = await fetch(`${url}/greetings?name=Ada`, { method: 'POST' })
  if (hello.status !== 200 || posted.status !== 202) throw new Error(`${hello.status}, ${posted.status}`)
  const seconds = (performance.now() - since) / 1_000
  dev.kill()
  await dev.exited
  return seconds
}

const { values } = parseArgs({ options: { only: { type: 'string' } } })
const chosen = FRAMEWORKS.flatMap((framework) => LANGUAGES.map((language) => ({ framework, language }))).filter(
  ({ framework, language }) => !values.only || values.only.split(',').includes(`${framework}-${language}`),
)

const folder = emptyFolder()
let failures = 0
try {
  const [takespace, creator] = [packed(ROOT, folder), packed(join(ROOT, 'create-takespace'), folder)]
  for (const { framework, language } of chosen) {
    const name = `${framework}-${language}`
    const project = join(folder, name)
    try {
      const flags = ['--framework', framework, '--language', language, '--takespace', takespace]
      const steps = {
        create: await timed(['npx', '--yes', '--package', creator, 'create-takespace', name, ...flags], folder),
        install: await timed(['npm', 'install', '--no-audit', '--no-fund'], project),
        dev: await served(project, language),
        test: 0,
        types: 0,
      }
      const toServed = steps.create + steps.install + steps.dev
      const ran = runScript(project, 'test')
      const since = performance.now()
      if ((await ran.exited).code !== 0) throw new Error(ran.output())
      steps.test = (performance.now() - since) / 1_000
      if (language === 'ts') steps.types = await timed(['npm', 'run', 'types'], project)
      const isLate = toServed > MOST_SECONDS
      if (isLate) failures++
      const each = Object.entries(steps).map(([step, seconds]) => `${step} ${seconds.toFixed(1)} s`)
      console.log(`${isLate ? 'slow  ' : 'ok    '} ${name}: served after ${toServed.toFixed(1)} s (${each.join(', ')})`)
    } catch (error) {
      failures++
      console.log(`failed ${name}: ${error}`)
    }
  }
} finally {
  removeFolder(folder)
}
process.exitCode = failures === 0 ? 0 : 1
