/** The package.json of a new project. */

/** The packages of each framework, and those of its types. Versions are those that the tests install. */
const PACKAGES = {
  express: { dependencies: { express: '^5.3.0' }, types: { '@types/express': '^5.0.6' } },
  fastify: { dependencies: { fastify: '^5.12.8' }, types: {} },
  hono: { dependencies: { hono: '^4.13.19' }, types: {} },
  nest: {
    dependencies: {
      '@nestjs/common': '^12.5.1',
      '@nestjs/core': '^12.5.1',
      '@nestjs/platform-express': '^12.5.1',
      'reflect-metadata': '^0.2.2',
      rxjs: '^7.8.2',
    },
    types: {},
  },
}

/** takespace loads TypeScript by swc; so do the tests. */
const TYPESCRIPT = {
  dependencies: { '@swc/core': '^1.16.22' },
  devDependencies: { '@swc-node/register': '^1.12.1', '@types/node': '^20.19.0', typescript: '^5.9.3' },
}

export function manifestOf({ name, framework, language, takespace }) {
  const isTyped = language === 'ts'
  const { dependencies, types } = PACKAGES[framework]
  const app = `src/app.${language}`
  const runner = isTyped ? 'node --import @swc-node/register/esm-register' : 'node'
  return {
    name,
    version: '0.0.0',
    private: true,
    type: 'module',
    engines: { node: '>=20.19' },
    scripts: {
      dev: `takespace dev ${app}`,
      gateway: 'takespace gateway --port 8080',
      worker: `takespace worker ${app} --processes 2`,
      scheduler: 'takespace scheduler',
      test: `${runner} --env-file=test/test.env --test test/app.test.${language}`,
      ...(isTyped ? { types: 'tsc --noEmit' } : {}),
    },
    dependencies: sorted({ ...dependencies, takespace, ...(isTyped ? TYPESCRIPT.dependencies : {}) }),
    ...(isTyped ? { devDependencies: sorted({ ...types, ...TYPESCRIPT.devDependencies }) } : {}),
  }
}

const sorted = (packages) => Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1)))
