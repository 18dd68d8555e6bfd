/** The dashboard from the package as it is published: all files of the page are in it, and the command serves them. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startProcess } from '../support/process.js'
import { startRedis } from '../support/redis.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Returns the types of the files that were served. */
export async function servedFromTarball(folder: string): Promise<string[]> {
  const packed = execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], {
    cwd: ROOT,
  })
  execFileSync('tar', ['-xzf', join(folder, packed.toString().trim()), '-C', folder])
  // Its dependencies are those of this checkout.
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  const redis = await startRedis()
  const main = join(folder, 'package', 'dist', 'src', 'cli', 'main.js')
  const dashboard = startProcess([main, 'dashboard', '--url', redis.url, '--dashboard-port', '0'], { cwd: folder })
  try {
    const [, url] = await dashboard.line(/"url":"([^"]+)"/)
    const index = await (await fetch(url!)).text()
    const names = [...index.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map(([, name]) => name!)
    assert.equal(names.length, 2)
    const files = await Promise.all(names.map((name) => fetch(url + name)))
    for (const { status, headers } of files) {
      assert.equal(status, 200)
      assert.match(headers.get('cache-control')!, /immutable/)
    }
    return files.map(({ headers }) => headers.get('content-type')!)
  } finally {
    dashboard.kill()
    await dashboard.exited
    await redis.stop()
  }
}
