/** Jest in ESM mode: TypeScript through swc, imports written with the `.js` of the built file. */
import { existsSync, readFileSync } from 'node:fs'

// Frameworks show other error pages in production; the tests are of one environment, whatever the shell's is.
process.env.NODE_ENV = 'test'

/** The servers that TEST_REDIS_SERVER names beside its first (.ci/redis.mjs). */
function otherServers() {
  const record = new URL('.cache/redis/server.json', import.meta.url)
  return existsSync(record) ? (JSON.parse(readFileSync(record, 'utf8')).others ?? []) : []
}

/** The suites that depend on the server: they run on every one. */
const OF_SERVERS = ['promises', 'connecting', 'session', 'faults', 'scheduler', 'damage']

/** Of one run of the tests. */
export const suites = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: { '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2022', parser: { syntax: 'typescript' } } }] },
}

const on = (redisServer) => ({
  ...suites,
  displayName: `${redisServer.command.split('/').at(-1)} ${redisServer.version}`,
  testMatch: OF_SERVERS.map((folder) => `<rootDir>/test/${folder}/*.test.ts`),
  globals: { redisServer },
})

const others = otherServers()

export default {
  ...(others.length > 0 ? { projects: [suites, ...others.map(on)] } : suites),
  // Longer than any one wait of a test, so that the wait says what it waited for.
  testTimeout: 120_000,
  testSequencer: '<rootDir>/test/heavy-first.js',
  // Many tests wait for other processes: three keep two cores busy.
  maxWorkers: 3,
}
