/** test:upgrade: builds the older release, and replaces it by this one under load. */
import { spawnSync } from 'node:child_process'
import { OLDER, olderRelease } from './release.js'

const older = olderRelease()
if (older === null) {
  console.log(`skipped: the history has no ${OLDER}, the last release of layout 4. Fetch it: git fetch --unshallow`)
  process.exit()
}
const { status } = spawnSync('npm', ['test', '--', 'test/upgrade', '--verbose', ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: { ...process.env, OLDER_RELEASE: older },
})
process.exit(status ?? 1)
