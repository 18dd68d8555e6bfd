/** Jest for `npm run test:quick`: the promises on the memory engine, and what the surface tests read from files. Starts no Redis. */
import full, { suites } from '../jest.config.js'

// test/support/redis.ts reads it: tests on Redis are skipped, and starting a server is an error.
process.env.TEST_ENGINES = 'memory'

const surface = ['absent-options', 'api', 'errors', 'house', 'lua']

export default {
  ...full,
  ...suites,
  projects: undefined,
  rootDir: '..',
  testMatch: [
    '<rootDir>/test/promises/*.test.ts',
    '<rootDir>/test/scheduler/{cron,memory}.test.ts',
    `<rootDir>/test/surface/{${surface.join(',')}}.test.ts`,
  ],
  // These compare Redis with memory, or count what Redis looks at.
  testPathIgnorePatterns: ['/promises/(agreeing|session-entries-agreeing|searching)\\.test\\.ts$'],
}
