/**
 * Makes a clone ready to run: installs and builds what is missing or outdated, says so in one line each, and is silent otherwise.
 * `prepare.mjs start` installs no packages that only tests need; `prepare.mjs bench` also those of bench/package.json,
 * `prepare.mjs site` those of site/package.json.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { staleBuild } from './build.mjs'
import { Install } from './install.mjs'
import { lock } from './lock.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const purpose = process.argv[2]

/** Folder, words for its install, and which of its packages. */
const installs = [{ name: '', folder: root, set: purpose === 'start' ? 'start' : 'all' }]
if (purpose === 'bench')
  installs.push({ name: ' the peers of the benchmarks', folder: join(root, 'bench'), set: 'all' })
if (purpose === 'site') installs.push({ name: ' what builds the site', folder: join(root, 'site'), set: 'all' })

// Standard error, because `npm test -- --json` has the standard output for itself.
const say = (line) => process.stderr.write(`takespace: ${line}\n`)
const fail = (line) => {
  say(line)
  process.exit(1)
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19)) fail(`needs Node.js 20.19 or later; this is ${process.versions.node}`)
}

function build() {
  const { status } = spawnSync(process.execPath, [join(root, '.ci', 'build.mjs')], {
    cwd: root,
    stdio: ['ignore', process.stderr.fd, 'inherit'],
  })
  if (status !== 0) fail('the build failed; see above. `npm run build` runs it alone')
}

checkNode()
for (const { folder } of installs) {
  if (!new Install(folder).isReadable)
    fail(`${join(folder, 'package-lock.json')} cannot be read; git checkout restores it`)
}
if (installs.some(({ folder, set }) => new Install(folder).staleness(set)) || staleBuild()) {
  await lock(join(root, '.cache', 'prepare.lock'), (pid) =>
    say(`waiting for another run to finish preparing (process ${pid})`),
  )
  // Checked again: the former holder of the lock may have done the work.
  for (const { name, folder, set } of installs) {
    const install = new Install(folder)
    const why = install.staleness(set)
    if (why === null) continue
    say(`installing${name}: ${why}`)
    const failure = install.run(set)
    if (failure !== null) fail(failure)
  }
  const behind = staleBuild()
  if (behind) {
    say(`building: ${behind}`)
    build()
  }
}
