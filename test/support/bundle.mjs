/** Joins a program of a test and what it imports of src into one file of JavaScript. Arguments: source, file. */
import { rolldown } from 'rolldown'

const [source, file] = process.argv.slice(2)
const bundle = await rolldown({
  input: source,
  platform: 'node',
  external: (id) => !id.startsWith('.') && !id.startsWith('/'),
  resolve: { extensionAlias: { '.js': ['.ts', '.js'] } },
})
await bundle.write({ file, format: 'esm', codeSplitting: false })
await bundle.close()
