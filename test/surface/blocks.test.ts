/** The fenced blocks of the documents: each has a mark that says how it is checked, and those that no other test runs are checked here. */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from '@jest/globals'
import { failOnLeaks } from '../support/leaks.js'
import { startProcess } from '../support/process.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

const within = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md') && !file.includes('node_modules'))
    .map((file) => `${folder}/${file.replaceAll('\\', '/')}`)

const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...['docs', 'examples', 'create-takespace'].flatMap(within),
]

interface Block {
  readonly page: string
  readonly language: string
  /** The word behind the language: `types`, or the name by which a test finds the block. */
  readonly mark: string | undefined
  readonly text: string
}

const blocks = pages.flatMap((page): Block[] => {
  const text = readFileSync(join(root, page), 'utf8')
  return [...text.matchAll(/^```(\S*)(?: (\S+))?\n([\s\S]*?)^```$/gm)].map(([, language, mark, body]) => {
    return { page, language: language!, mark, text: body! }
  })
})

/** Configurations of other programs: those programs read them in the tests of docs/proxies.md and examples/deploy. */
const OF_PROGRAMS = ['haproxy', 'nginx', 'caddyfile', 'yaml', 'ini', 'conf']

test('every block has a mark: text, the language of a configuration, or types or a name behind js and ts', () => {
  expect(blocks.length).toBeGreaterThan(60)
  const isMarked = ({ language, mark }: Block): boolean =>
    language === 'text' || OF_PROGRAMS.includes(language) || (/^(js|ts)$/.test(language) && mark !== undefined)
  expect(blocks.filter((block) => !isMarked(block)).map(({ page, text }) => `${page}: ${text.slice(0, 60)}`)).toEqual(
    [],
  )
})

/** Names that belong to tests: a test reads its page and takes the block by its name. */
const TESTED: Readonly<Record<string, string>> = {
  'README.md': 'test/surface/readme.test.ts',
  'docs/frameworks.md': 'test/whole/frameworks.test.ts',
  'docs/testing.md': 'test/whole/testing.test.ts',
}

test('a block with a name is on a page whose test runs it', () => {
  const named = blocks.filter(({ mark }) => mark !== undefined && mark !== 'types')
  for (const { page, mark } of named) {
    expect([page, mark, TESTED[page] !== undefined && existsSync(join(root, TESTED[page]))]).toEqual([page, mark, true])
  }
})

test('the examples in JavaScript and TypeScript conform to the types of the package', async () => {
  const folder = join(root, '.cache', 'blocks')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const typed = blocks.filter(({ mark }) => mark === 'types')
  expect(typed.length).toBeGreaterThan(15)
  typed.forEach(({ page, text }, i) => {
    // A module of its own: what it declares is its own.
    writeFileSync(join(folder, `${page.replace(/\W/g, '-')}-${i}.ts`), `${text}\nexport {}\n`)
  })
  const compilerOptions = {
    target: 'es2022',
    module: 'nodenext',
    strict: true,
    // The examples in JavaScript have no types of their own.
    noImplicitAny: false,
    noEmit: true,
    skipLibCheck: true,
    types: ['node'],
  }
  const files = ['../../test/surface/blocks/names.ts']
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files, include: ['*.ts'] }))
  const compiler = startProcess([process.execPath, join(root, 'node_modules/typescript/bin/tsc'), '-p', folder])
  await compiler.exited
  expect(compiler.output()).toBe('')
})

const CLI = join(root, 'dist', 'src', 'cli', 'main.js')
/** Resolves when all of the output is there, not only at the exit. */
const helpOf = (args: readonly string[]) => promisify(execFile)(process.execPath, args)

/** A command line, a description behind several spaces: a command, perhaps a command of it, and what follows. */
const COMMAND = /(?:^|\s)(?<!npm create )takespace ([a-z]+(?: [a-z]+)?)(?![\w-])(.*)$/

test('every command and flag in a block of text is known to the command line', async () => {
  const used = blocks
    .filter(({ language }) => language === 'text')
    .flatMap(({ page, text }) =>
      text
        .replace(/\\\n\s*/g, ' ')
        .split('\n')
        .map((line) => COMMAND.exec(line.split(/ {3,}/)[0]!))
        .filter((match) => match !== null)
        .map(([, words, rest]) => ({ page, words: words!, flags: rest!.match(/--[a-z][\w-]*/g) ?? [] })),
    )
  const helps = new Map<string, string>()
  const ask = async (words: string): Promise<void> => {
    const help = await helpOf([CLI, ...words.split(' '), '--help']).catch(() => ({ stdout: '' }))
    helps.set(words, help.stdout)
  }
  await Promise.all([...new Set(used.map(({ words }) => words))].map(ask))
  expect(helps.size).toBeGreaterThan(10)
  const wrong = used.flatMap(({ page, words, flags }) => {
    const help = helps.get(words)!
    if (help === '') return [`${page}: there is no takespace ${words}`]
    return flags.filter((flag) => !help.includes(flag)).map((flag) => `${page}: takespace ${words} has no ${flag}`)
  })
  expect(wrong).toEqual([])
})

failOnLeaks()
