/** Jest in ESM mode: TypeScript through swc, imports written with the `.js` of the built file. */
// Frameworks show other error pages in production; the tests are of one environment, whatever the shell's is.
process.env.NODE_ENV = 'test'

export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: { '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2022', parser: { syntax: 'typescript' } } }] },
  // Longer than any one wait of a test, so that the wait says what it waited for.
  testTimeout: 120_000,
  testSequencer: '<rootDir>/test/heavy-first.js',
  // Many tests wait for other processes: three keep two cores busy.
  maxWorkers: 3,
}
