/** Transpiles TypeScript and JSX to JavaScript. The only file that imports @swc/core. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compileFunction } from 'node:vm'
import type { Options, TransformConfig } from '@swc/core'
import { type Project, projectOf } from './project.js'
import { cached } from './transpile-cache.js'

const require = createRequire(import.meta.url)

export const TRANSPILED = /\.([cm]?ts|tsx|jsx)$/

export type Format = 'commonjs' | 'module'

export interface Transpiled {
  readonly format: Format
  /** JavaScript with an inline source map. */
  readonly code: string
  /** Names that a CommonJS file exports, `default` left out; [] for an ES module. */
  readonly names: readonly string[]
  /** Modules of which a CommonJS file exports all; [] for an ES module. */
  readonly reexports: readonly string[]
}

/** The code of this file, which a stored result depends on. */
let ownText: string | undefined

/**
 * Returns the JavaScript of a file. `.mts` and files of a package with `"type": "module"` become ES modules; others
 * become CommonJS, as with `tsc`, unless they use top-level await. `required` forces CommonJS. Throws a SyntaxError
 * with file and line.
 */
export function transpile(path: string, required = false): Transpiled {
  const source = readFileSync(path, 'utf8')
  const project = projectOf(path)
  const wanted = required ? 'commonjs' : formatOf(path, project)
  const settings = compilerSettings(path, source, project)
  ownText ??= readFileSync(fileURLToPath(import.meta.url), 'utf8')
  return cached(path, [ownText, source, wanted, settings], () => {
    const result = transform(path, source, settings, wanted)
    // A file with top-level await can only be an ES module.
    if (wanted === 'commonjs' && !required && !compiles(result.code)) return transform(path, source, settings, 'module')
    return result
  })
}

/** https://nodejs.org/api/packages.html#determining-module-system; without a `type` TypeScript compiles to CommonJS. */
function formatOf(path: string, { packageType }: Project): Format {
  const ending = extname(path)
  if (ending === '.mts') return 'module'
  if (ending === '.cts') return 'commonjs'
  return packageType ?? 'commonjs'
}

interface Settings {
  readonly transform: TransformConfig
  readonly interop: boolean
}

/** ES2022 is the first target for which `tsc` defines class fields instead of assigning them. */
const ASSIGNS_FIELDS = /^es(3|5|6|201\d|202[01])$/i

function compilerSettings(path: string, source: string, { compilerOptions }: Project): Settings {
  const { experimentalDecorators, emitDecoratorMetadata, useDefineForClassFields, target } = compilerOptions
  return {
    interop: interopOf(compilerOptions),
    transform: {
      legacyDecorator: experimentalDecorators ?? false,
      decoratorMetadata: emitDecoratorMetadata ?? false,
      ...(experimentalDecorators ? {} : { decoratorVersion: '2022-03' }),
      useDefineForClassFields: useDefineForClassFields ?? !ASSIGNS_FIELDS.test(target ?? ''),
      ...(/x$/.test(path) ? { react: jsxOf(source, compilerOptions) } : {}),
    },
  }
}

/**
 * Returns whether `import x from` a CommonJS package is its module.exports: the default of `esModuleInterop` depends on
 * `module`.
 */
function interopOf(options: Project['compilerOptions']): boolean {
  if (options.esModuleInterop !== undefined) return options.esModuleInterop
  return (
    options.module === undefined ||
    /^(node|preserve)/i.test(options.module) ||
    options.allowSyntheticDefaultImports === true
  )
}

/** A pragma in the file wins over tsconfig; without either, JSX needs no import in scope (`react-jsx`). */
function jsxOf(source: string, options: Project['compilerOptions']): NonNullable<TransformConfig['react']> {
  const { jsx, jsxFactory, jsxFragmentFactory, jsxImportSource } = options
  const automatic = { runtime: 'automatic' as const, ...(jsxImportSource ? { importSource: jsxImportSource } : {}) }
  if (IMPORT_SOURCE_PRAGMA.test(source)) return automatic
  if (jsx !== 'react' && !FACTORY_PRAGMA.test(source)) return automatic
  return {
    runtime: 'classic',
    ...(jsxFactory ? { pragma: jsxFactory } : {}),
    ...(jsxFragmentFactory ? { pragmaFrag: jsxFragmentFactory } : {}),
  }
}

const IMPORT_SOURCE_PRAGMA = /^\s*\/\*\*?(?:(?!\*\/)[\s\S])*@jsxImportSource\s/m
const FACTORY_PRAGMA = /^\s*\/\*\*?(?:(?!\*\/)[\s\S])*@jsx\s/m

/** @throws Error if the package, an optional dependency, was left out */
function swc(): typeof import('@swc/core') {
  try {
    return require('@swc/core') as typeof import('@swc/core')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error
    throw new Error('TypeScript and JSX need the package @swc/core, which is not installed. Run: npm install @swc/core')
  }
}

function transform(path: string, source: string, { transform, interop }: Settings, format: Format): Transpiled {
  const { transformSync } = swc()
  const isTypeScript = !path.endsWith('.jsx')
  const isJsx = path.endsWith('x')
  const options: Options = {
    filename: path,
    swcrc: false,
    configFile: false,
    sourceMaps: 'inline',
    module:
      format === 'module'
        ? { type: 'nodenext' }
        : { type: 'commonjs', ignoreDynamic: true, exportInteropAnnotation: true, noInterop: !interop },
    jsc: {
      target: 'es2022',
      keepClassNames: true,
      parser: isTypeScript
        ? { syntax: 'typescript', tsx: isJsx, decorators: true }
        : { syntax: 'ecmascript', jsx: true, decorators: true },
      transform,
    },
  }
  // Hono's documentation uses both pragmas in one file; with an import source the factory has no effect.
  const text = IMPORT_SOURCE_PRAGMA.test(source) ? source.replace(/@jsx(?=\s)/, '     ') : source
  let code: string
  try {
    code = transformSync(text, options).code
  } catch (error) {
    throw syntaxError(path, error as Error)
  }
  if (format === 'module') return { format, code: commonJsVariables(code) + code, names: [], reexports: [] }
  return { format, code: asTscHasIt(code, transform.decoratorMetadata === true), ...exportsIn(code) }
}

/**
 * Two features of `tsc`'s CommonJS: the namespace of a package that is a function can be called (`import * as
 * express`), and an export that is read too early in a circular import is undefined (types in decorator metadata).
 */
function asTscHasIt(code: string, lenient: boolean): string {
  const callable = code.replace(
    'function _interop_require_wildcard(obj, nodeInterop) {',
    "$&if (typeof obj === 'function' && !obj.__esModule) return new Proxy(obj, { get: (of, key) => key === 'default' && !(key in of) ? of : Reflect.get(of, key) });",
  )
  if (!lenient) return callable
  const strict = callable
    .replace(
      'get: Object.getOwnPropertyDescriptor(all, name).get',
      'get: $early(Object.getOwnPropertyDescriptor(all, name).get)',
    )
    .replace(
      /(Object\.defineProperty\(exports, "[\w$]+", \{\s+enumerable: true,\s+get: )(function\(\) \{\s+return [\w$.]+;\s+\})/g,
      '$1$early($2)',
    )
  return `${strict}
function $early(get) { return () => { try { return get() } catch (error) { if (!(error instanceof ReferenceError)) throw error } } }`
}

/** Parses SWC's coloured message, `x Expected … ,-[/app.ts:3:1]`, into file, line and reason. */
function syntaxError(path: string, { message }: Error): SyntaxError {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal colours are control characters
  const plain = message.replace(/\x1b\[\d+m/g, '')
  const reason = /^\s*[x×]\s*(.+)/m.exec(plain)?.[1] ?? plain.split('\n')[0]
  const [, line, column] = /:(\d+):(\d+)\]/.exec(plain) ?? []
  const error = new SyntaxError(`${reason} (${path}${line ? `:${line}:${column}` : ''})`)
  error.stack = `${path}${line ? `:${line}` : ''}\n${error.name}: ${error.message}`
  return error
}

/** Returns where JavaScript does not parse; undefined if it does, or if the compiler was left out. */
export function parseError(source: string): { readonly line: number } | undefined {
  try {
    require.resolve('@swc/core')
  } catch {
    return undefined
  }
  try {
    swc().parseSync(source, { syntax: 'ecmascript', target: 'es2022' })
    return undefined
  } catch (error) {
    // SWC omits the position of the first line.
    const [, line = 1] = /\[(\d+):\d+\]/.exec((error as Error).message) ?? []
    return { line: Number(line) }
  }
}

function compiles(code: string): boolean {
  try {
    compileFunction(code, ['exports', 'require', 'module', '__filename', '__dirname'])
    return true
  } catch {
    return false
  }
}

/** Reads the names of exports that SWC lists for Node's scan of CommonJS files. */
function exportsIn(code: string): Pick<Transpiled, 'names' | 'reexports'> {
  const list = /^0 && \(module\.exports = \{([^}]*)\}\)/m.exec(code)?.[1] ?? ''
  const listed = [...list.matchAll(/^\s*([\w$]+): null/gm)]
  const defined = [...code.matchAll(/^Object\.defineProperty\(exports, "([\w$]+)"/gm)]
  const names = new Set([...listed, ...defined].map(([, name]) => name as string))
  names.delete('default')
  names.delete('__esModule')
  const reexports = [...code.matchAll(/^0 && __export\(require\("([^"]+)"\)\)/gm)].map(([, name]) => name as string)
  return { names: [...names], reexports }
}

/** CommonJS variables, which an ES module has to declare. */
const VARIABLES: readonly [name: string, imported: string, value: string][] = [
  ['require', "import { createRequire as $createRequire } from 'node:module'", '$createRequire(import.meta.url)'],
  ['__filename', "import { fileURLToPath as $filename } from 'node:url'", '$filename(new URL(import.meta.url))'],
  [
    '__dirname',
    "import { fileURLToPath as $folder } from 'node:url'",
    "$folder(new URL('.', import.meta.url)).slice(0, -1)",
  ],
]

/**
 * Returns declarations of those variables that the code uses and does not declare, on one line, so that line numbers
 * stay.
 */
function commonJsVariables(code: string): string {
  return VARIABLES.filter(([name]) => {
    const uses = new RegExp(`(?<![.\\w$])${name}\\b`).test(code)
    return uses && !new RegExp(`\\b(?:const|let|var|function|class|import)\\b[^;\\n=]*[\\s{,]${name}\\b`).test(code)
  })
    .map(([name, imported, value]) => `${imported};const ${name} = ${value};`)
    .join('')
}
