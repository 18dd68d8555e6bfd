/** The app of the smoke test of the command line: answers with the runtime that runs it, and has a task. */
const runtime = globalThis.Bun ? 'bun' : globalThis.Deno ? 'deno' : 'node'
export default (_req, res) => res.end(runtime)
export const tasks = { runtime: () => runtime }
