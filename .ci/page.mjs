/** Builds the page of the dashboard into dist/dashboard: scripts, a style sheet and the page that names them, under names that hold their hashes. */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { rolldown } from 'rolldown'
import { inLatin1 } from './latin1.mjs'

/** @returns the paths of the files, and those of the modules that were joined */
export async function buildPage(root) {
  const source = join(root, 'src', 'dashboard', 'page')
  const folder = join(root, 'dist', 'dashboard')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const files = []
  const write = (name, text) => {
    const file = join(folder, name)
    writeFileSync(file, text)
    files.push(file)
    return name
  }
  const build = await rolldown({
    input: join(source, 'main.tsx'),
    platform: 'browser',
    tsconfig: join(source, 'tsconfig.json'),
    resolve: { extensionAlias: { '.js': ['.ts', '.tsx', '.js'] } },
    transform: { define: { 'process.env.NODE_ENV': '"production"' } },
    // The style sheet of the charts is a part of the page's.
    moduleTypes: { '.css': 'empty' },
  })
  const { output } = await build.generate({
    format: 'esm',
    entryFileNames: '[hash].js',
    chunkFileNames: '[hash].js',
    minify: true,
  })
  await build.close()
  for (const { fileName, code } of output) write(fileName, inLatin1(code))
  const styles = [join(source, 'page.css'), join(root, 'node_modules', 'uplot', 'dist', 'uPlot.min.css')]
  const style = styles.map((file) => squeezed(readFileSync(file, 'utf8'))).join('\n')
  const hash = createHash('sha256').update(style).digest('base64url').slice(0, 8)
  const names = { script: output.find(({ isEntry }) => isEntry).fileName, style: write(`${hash}.css`, style) }
  const page = readFileSync(join(source, 'index.html'), 'utf8')
  write(
    'index.html',
    page.replace(/\{(script|style)\}/g, (_, name) => names[name]),
  )
  return { files, moduleIds: output.flatMap(({ moduleIds }) => moduleIds) }
}

/** Returns a style sheet without comments and indentation. */
const squeezed = (text) => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\s*\n\s*/g, '\n')
