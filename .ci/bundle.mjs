/**
 * Joins the compiled modules in dist into few files: Node takes about a millisecond for each module that it loads, and
 * a worker had 185 of them. The code is printed anew and stays readable; declarations are left alone.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { rolldown } from 'rolldown'

/** The files that are loaded by their path. All others are joined into `chunks`, by what is loaded together. */
const ENTRIES = [
  ...['src/index', 'gateway/index', 'workers/index', 'src/session/index'],
  ...['src/cli/main', 'src/cli/load/hooks', 'src/cli/supervisor/blocked-loop-inspector'],
  // Tests and benchmarks.
  ...['src/request', 'src/cli/load/app-file'],
]

/** Stays a file of its own: its addresses are relative to its place. */
const PLACES = 'src/cli/places.js'

/** @returns the paths of the files that were written or kept */
export async function bundle(dist) {
  const places = join(dist, PLACES)
  const build = await rolldown({
    input: Object.fromEntries(ENTRIES.map((name) => [name, join(dist, `${name}.js`)])),
    platform: 'node',
    external: (id) => !/^[./]|^[a-zA-Z]:/.test(id),
    plugins: [
      {
        name: 'places',
        resolveId: (id) => (id.endsWith('/places.js') ? { id: places, external: 'relative' } : null),
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
  return [
    places,
    ...output.map(({ fileName, code }) => {
      const file = join(dist, fileName)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, code)
      return file
    }),
  ]
}
