/**
 * Joins the compiled modules in dist into few files, with the packages that only development installs: Node takes about
 * a millisecond for each module that it loads, and a worker had 185 of them. The code is printed anew and stays
 * readable; declarations are left alone.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { rolldown } from 'rolldown'
import { inLatin1 } from './latin1.mjs'
import { buildPage } from './page.mjs'

/** The files that are loaded by their path. All others are joined into `chunks`, by what is loaded together. */
const ENTRIES = [
  ...['src/index', 'gateway/index', 'workers/index', 'src/session/index', 'src/dashboard/index'],
  ...['src/cli/main', 'src/cli/load/hooks', 'src/cli/supervisor/blocked-loop-inspector'],
  // Tests and benchmarks.
  ...['src/request', 'src/cli/load/app-file', 'src/engines/redis/library.generated'],
]

/** Stay files of their own: their addresses are relative to their places. */
const PLACES = ['src/cli/places.js', 'src/dashboard/places.js']

/**
 * Dependencies that are joined all the same: 64 and 20 files, of which a process needs all and one. BullMQ imports a
 * copy of ioredis of its own.
 */
const JOINED = ['ioredis', 'uuid']

/** prom-client imports it for exemplars, which takespace does not use. */
const TRACING = '@opentelemetry/api'

/** @returns the paths of the files that were written or kept */
export async function bundle(root) {
  const dist = join(root, 'dist')
  const places = PLACES.map((path) => join(dist, path))
  const { dependencies, optionalDependencies, peerDependencies } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  )
  const installed = Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }).filter(
    (name) => !JOINED.includes(name),
  )
  const isInstalled = (id) => installed.some((name) => id === name || id.startsWith(`${name}/`))
  const build = await rolldown({
    input: Object.fromEntries(ENTRIES.map((name) => [name, join(dist, `${name}.js`)])),
    platform: 'node',
    plugins: [
      {
        name: 'places',
        resolveId: (id, importer) => {
          if (id.endsWith('/places.js')) return { id: join(dirname(importer), id), external: 'relative' }
          if (id === TRACING && importer?.includes('prom-client')) return '\0no-tracing'
          return isInstalled(id) ? { id, external: true } : null
        },
        load: (id) => (id === '\0no-tracing' ? 'export default {}' : null),
      },
    ],
  })
  const { output } = await build.generate({
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name].js',
    minify: false,
    minifyInternalExports: false,
  })
  await build.close()
  const notices = join(dist, 'NOTICES')
  const page = await buildPage(root)
  const joined = [...output.flatMap(({ moduleIds }) => moduleIds), ...page.moduleIds]
  writeFileSync(notices, noticesOf(joined))
  return [
    ...places,
    notices,
    ...page.files,
    ...output.map(({ fileName, code }) => {
      const file = join(dist, fileName)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, inLatin1(code))
      return file
    }),
  ]
}

const MODULES = `${sep}node_modules${sep}`

/** Returns the licences of the packages whose modules were joined. */
function noticesOf(moduleIds) {
  const folders = new Set()
  for (const id of moduleIds) {
    const at = id.lastIndexOf(MODULES) + MODULES.length
    if (at < MODULES.length) continue
    const [first, second] = id.slice(at).split(sep)
    folders.add(id.slice(0, at) + (first.startsWith('@') ? join(first, second) : first))
  }
  const parts = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each))
    const text = file && existsSync(join(folder, file)) ? `\n${readFileSync(join(folder, file), 'utf8').trim()}\n` : ''
    return `${name} ${version} (${license})\n${text}`
  })
  return `Parts of these packages are in the files of this folder.\n\n${parts.join(`\n${'-'.repeat(80)}\n\n`)}`
}
