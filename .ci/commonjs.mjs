/**
 * Writes the entry points of the package for `require`, beside those for `import`: a module that requires the ES module, which Node 20.19
 * can, and its declarations. Declarations of their own are needed since TypeScript's `node16` lets no CommonJS file import an ES module.
 */
import { writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** @param exports those of package.json @returns the paths of the files that were written */
export async function writeCommonJs(root, exports) {
  const written = []
  for (const { import: esm, require: cjs } of Object.values(exports)) {
    if (!cjs) continue
    const file = join(root, esm.default)
    const from = `./${basename(file)}`
    const module = await import(pathToFileURL(file).href)
    const texts = {
      [cjs.default]: `/** ${from} for require(). */\nmodule.exports = require('${from}')\n`,
      [cjs.types]: declarations(from, module),
    }
    for (const [path, text] of Object.entries(texts)) {
      writeFileSync(join(root, path), text)
      written.push(join(root, path))
    }
  }
  return written
}

const isClass = (value) => typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value))

/** Types come by `export type *`. Values are declared with the types of the originals, so both modules have the very same types. */
function declarations(from, module) {
  const names = Object.keys(module).filter((name) => name !== 'default')
  const mode = `with { 'resolution-mode': 'import' }`
  return [
    `/** The declarations of ${from} for require(). */`,
    `import type * as esm from '${from}' ${mode}`,
    `export type * from '${from}' ${mode}`,
    ...names.map((name) => `declare const ${name}: typeof esm.${name}`),
    ...names.filter((name) => isClass(module[name])).map((name) => `type ${name} = esm.${name}`),
    `export { ${names.join(', ')} }`,
    '',
  ].join('\n')
}
