/** The README and the pages of docs/ are true: their code runs, and their tables are those of the code. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from '@jest/globals'
import { failOnLeaks } from '../support/leaks.js'
import { startProcess } from '../support/process.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const text = (file: string): string => readFileSync(join(root, file), 'utf8')

/** A fenced block of the README, by the word behind its language. */
const block = (name: string): string => {
  const found = new RegExp(`^\`\`\`js ${name}\\n([\\s\\S]*?)^\`\`\``, 'm').exec(text('README.md'))
  if (!found) throw new Error(`README.md has no block \`\`\`js ${name}`)
  return found[1] as string
}

/** From the root of the package, where `takespace` is the name of the package itself. */
const run = (code: string) => startProcess([process.execPath, '--input-type=module', '--eval', code], { cwd: root })

describe('README', () => {
  test('its tour of the space is examples/space.js, and runs', async () => {
    expect(`\n${block('space')}`).toBe(text('examples/space.js').replace(/^.*/, ''))
    const tour = run(block('space'))
    expect(await tour.exited).toEqual({ code: 0, signal: null })
    expect(tour.output().trim().split('\n')).toEqual([
      "taken: { id: 1, type: 'resize', width: 300 }",
      'first: 3',
      "read: { id: 4, type: 'report' }",
      'together: 2',
      'gone: null',
    ])
  })

  test('its app is one that a worker can run', async () => {
    const served = run(`
      import { openSpace } from 'takespace'
      import { createGateway } from 'takespace/gateway'
      import { createWorker } from 'takespace/workers'
      ${block('app').replace('export default app', '')}
      const space = await openSpace('memory:')
      const gateway = createGateway({ space, port: 0 })
      await createWorker({ space, app }).start()
      await gateway.start()
      console.log(await (await fetch(gateway.url, { headers: { connection: 'close' } })).text())
      await space.close()`)
    expect(await served.exited).toEqual({ code: 0, signal: null })
    expect(served.output().trim()).toBe('hello')
  })

  test('its commands are known to the command line', async () => {
    const commands = [...text('README.md').matchAll(/^npx takespace (\w+)(.*)$/gm)]
    expect(commands.map(([, command]) => command)).toEqual(['dev', 'gateway', 'worker'])
    for (const [, command, args] of commands) {
      const help = startProcess(['takespace', command!, '--help'])
      await help.exited
      for (const [flag] of args!.matchAll(/--[\w-]+/g)) expect(help.output()).toContain(flag)
    }
  })
})

test('the settings in docs/cli.md are those of the command line', async () => {
  const flags = new Set<string>()
  for (const command of ['gateway', 'worker', 'dev', 'scheduler']) {
    const help = startProcess(['takespace', command, '--help'])
    await help.exited
    for (const [flag] of help.output().matchAll(/--[\w-]+/g)) if (flag !== '--help') flags.add(flag)
  }
  const documented = [...text('docs/cli.md').matchAll(/^\| `(--[\w-]+)`/gm)].map(([, flag]) => flag)
  expect(documented.sort()).toEqual([...flags].sort())
})

test('the operations and keys in docs/redis.md are those of protocol.ts and key-names.ts', async () => {
  const { withTables } = (await import(new URL('../../.ci/tables.mjs', import.meta.url).href)) as {
    withTables(page: string): Promise<string>
  }
  const page = text('docs/redis.md')
  // `npm run tables` writes them.
  expect(page).toBe(await withTables(page))
})

test('docs/faults.svg shows the figures of bench/FAULTS.md', async () => {
  const { faultsPicture } = (await import(new URL('../../bench/chart/faults.mjs', import.meta.url).href)) as {
    faultsPicture(page: string): string
  }
  const picture = text('docs/faults.svg')
  // `npm run tables` draws it.
  expect(picture).toBe(faultsPicture(text('bench/FAULTS.md')))
  expect(picture.match(/<circle/g)!.length).toBeGreaterThan(12)
})

test('the files that the pages show are those of examples/deploy', async () => {
  const { withFiles } = (await import(new URL('../../.ci/tables.mjs', import.meta.url).href)) as {
    withFiles(page: string): string
  }
  const pages = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'))
  const shown = pages.filter((name) => text(`docs/${name}`).includes('<!-- include '))
  expect(shown).toContain('proxies.md')
  // `npm run tables` writes them.
  for (const name of shown) expect(text(`docs/${name}`)).toBe(withFiles(text(`docs/${name}`)))
})

failOnLeaks()
