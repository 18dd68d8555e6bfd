/** A folder of a test file's own, for app files, with links to packages that they import; removed when the tests are over. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll } from '@jest/globals'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export interface Scratch {
  readonly folder: string
  /** Writes a file, and the folders above it. Returns its path. */
  write(name: string, text: string): string
}

/** Call it at the top of a test file. */
export function scratch(name: string, packages: readonly string[] = []): Scratch {
  const folder = mkdtempSync(join(tmpdir(), `takespace-${name}-`))
  if (packages.length > 0) mkdirSync(join(folder, 'node_modules'))
  for (const each of packages) {
    symlinkSync(join(ROOT, 'node_modules', each), join(folder, 'node_modules', each))
  }
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return {
    folder,
    write(file, text) {
      const path = join(folder, file)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, text)
      return path
    },
  }
}
