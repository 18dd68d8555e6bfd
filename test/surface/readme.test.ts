/** The README and the pages of docs/ are true: their code runs, and their links and files are there. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
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

test('the settings in docs/operations.md are those of the command line', async () => {
  const flags = new Set<string>()
  for (const command of ['gateway', 'worker', 'dev', 'scheduler']) {
    const help = startProcess(['takespace', command, '--help'])
    await help.exited
    for (const [flag] of help.output().matchAll(/--[\w-]+/g)) if (flag !== '--help') flags.add(flag)
  }
  const documented = [...text('docs/operations.md').matchAll(/^\| `(--[\w-]+)`/gm)].map(([, flag]) => flag)
  expect(documented.sort()).toEqual([...flags].sort())
})

test('the keys in docs/redis.md are those of keys.ts', () => {
  const rows = (page: string): string[] => {
    const all = page.match(/^(?: \* )?\| suffix[\s\S]*?(?=\n(?: \*\/|\n))/m)?.[0].split('\n') ?? []
    return all.slice(2).map((row) =>
      row
        .replace(/^ \* /, '')
        .split(/\s(?=\|)\|?/)
        .slice(0, 2)
        .join(' ')
        .replace(/\s+/g, ' ')
        .trim(),
    )
  }
  const documented = rows(text('docs/redis.md'))
  expect(documented.length).toBeGreaterThan(10)
  expect(documented).toEqual(rows(text('src/engines/redis/keys.ts')))
})

const pages = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md'].concat(
  readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
)

/** As GitHub names the headings of a page. */
const anchorsOf = (page: string): string[] =>
  [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )

test.each(pages)('every link and every file named in %s is there', (page) => {
  const body = text(page)
  const broken: string[] = []
  for (const [, link] of body.matchAll(/\]\(([^)\s]+)\)/g)) {
    // Pages that are in the package link by whole addresses to files that are not.
    const [, ours] = /^https:\/\/github\.com\/takespace\/takespace\/blob\/main\/(.*)$/.exec(link!) ?? []
    if (/^https?:/.test(link!) && !ours) continue
    const [path = '', anchor] = (ours ?? link!).split('#')
    const target = path === '' ? join(root, page) : resolve(root, ours ? '.' : dirname(page), path)
    if (!existsSync(target)) broken.push(link!)
    else if (anchor && statSync(target).isFile() && !anchorsOf(text(relative(root, target))).includes(anchor)) {
      broken.push(link!)
    }
  }
  // `src/errors.ts` and its like, as words.
  for (const [, path] of body.matchAll(/`((?:src|gateway|workers|test|docs|examples|bench|\.ci)\/[\w./-]*)`/g)) {
    if (!existsSync(join(root, path!))) broken.push(path!)
  }
  expect(broken).toEqual([])
})

failOnLeaks()
