/** The apps that are run: what they need, how they are started, and which differences are no errors. */
import type { App } from './app.js'

const NEST = {
  '@nestjs/common': '^12.5.0',
  '@nestjs/core': '^12.5.0',
  '@nestjs/platform-express': '^12.5.0',
  '@nestjs/platform-fastify': '^12.5.0',
  '@nestjs/platform-ws': '^12.1.0',
  '@nestjs/websockets': '^12.1.0',
  '@types/node': '^20.19.0',
  'reflect-metadata': '^0.2.2',
  rxjs: '^7.8.2',
  typescript: '^5.9.3',
  ws: '^8.23.0',
}

const HOOKS_AFTER_ANSWERS: App['differences'] = [
  {
    at: /^answer during the stop (body|header (content-length|etag))$/,
    ways: ['gateway', 'dev'],
    reason:
      'directly Nest calls onModuleDestroy while requests run; takespace gives the app its SIGTERM after the last answer',
  },
]

const noLengthOfNothing = (path: string): App['differences'] => [
  {
    at: new RegExp(`^OPTIONS ${path} header content-length$`),
    ways: ['gateway', 'dev'],
    reason: 'a 204 has no Content-Length (RFC 9110 §8.6); the app sends one and the gateway drops it',
  },
]

const express = (version: '4' | '5', file: string): App => ({
  name: `express${version}-${file.endsWith('.cjs') ? 'cjs' : 'esm'}`,
  project: 'express',
  packages: { express: version === '4' ? '^4.22.0' : '^5.3.0' },
  file,
  processes: 2,
})

const nest = (name: string, main: string): App => ({
  name,
  project: 'nest',
  packages: NEST,
  build: ['tsc'],
  file: `src/${main}.ts`,
  direct: ['node', `dist/${main}.js`],
  processes: 2,
  differences: HOOKS_AFTER_ANSWERS,
})

export const apps: readonly App[] = [
  express('4', 'app.cjs'),
  express('4', 'app.mjs'),
  express('5', 'app.cjs'),
  express('5', 'app.mjs'),
  nest('nest', 'main'),
  nest('nest-fastify', 'main-fastify'),
  {
    name: 'socket.io',
    project: 'socket.io',
    packages: {
      '@socket.io/redis-adapter': '^8.3.0',
      redis: '^5.0.0',
      'socket.io': '^4.8.0',
      'socket.io-client': '^4.8.0',
    },
    file: 'index.js',
    processes: 3,
  },
  {
    name: 'trpc',
    project: 'trpc',
    packages: {
      '@trpc/client': '^11.25.0',
      '@trpc/server': '^11.25.0',
      '@types/node': '^20.19.0',
      eventsource: '^4.0.0',
      typescript: '^5.9.3',
      zod: '^4.6.0',
    },
    type: 'module',
    build: ['tsc', '--module', 'nodenext', '--target', 'es2022', '--skipLibCheck', '--outDir', 'dist', 'server.ts'],
    file: 'server.ts',
    direct: ['node', 'dist/server.js'],
    processes: 2,
  },
  {
    name: 'apollo',
    project: 'apollo',
    packages: { '@apollo/server': '^5.0.0', graphql: '^16.0.0' },
    file: 'server.mjs',
    processes: 2,
    differences: noLengthOfNothing('/'),
  },
  {
    name: 'yoga',
    project: 'yoga',
    packages: { graphql: '^16.0.0', 'graphql-ws': '^6.4.0', 'graphql-yoga': '^5.24.0', ws: '^8.23.0' },
    type: 'module',
    file: 'server.js',
    processes: 2,
    differences: noLengthOfNothing('/graphql'),
  },
  {
    name: 'verdaccio',
    project: 'verdaccio',
    packages: { verdaccio: '~6.7.0' },
    overrides: { 'node-fetch': '^2.7.0' },
    file: 'index.js',
    processes: 1,
    whyOne: 'verdaccio keeps its list of packages in memory',
    env: { VERDACCIO_STORAGE_PATH: 'data/storage' },
    flags: ['--max-body-bytes', '20000000'],
  },
  {
    name: 'tus',
    project: 'tus',
    packages: { '@tus/file-store': '^2.0.0', '@tus/server': '^2.4.0', 'tus-js-client': '^4.3.0' },
    file: 'server.js',
    processes: 2,
    flags: ['--max-body-bytes', '268435456'],
  },
  {
    name: 'next',
    project: 'next',
    packages: { next: '^16.4.0', react: '^19.2.0', 'react-dom': '^19.2.0' },
    build: ['next', 'build'],
    file: 'server.js',
    processes: 2,
  },
  {
    name: 'react-router',
    project: 'react-router',
    packages: {
      // One version for all, as they ask for each other; npm does not always have the newest of all four.
      '@react-router/dev': '7.18.4',
      '@react-router/express': '7.18.4',
      '@react-router/node': '7.18.4',
      '@types/express': '^5.0.0',
      '@types/node': '^20.19.0',
      '@types/react': '^19.2.0',
      '@types/react-dom': '^19.2.0',
      compression: '^1.8.0',
      express: '^5.3.0',
      isbot: '^5.1.0',
      morgan: '^1.10.0',
      react: '^19.2.0',
      'react-dom': '^19.2.0',
      'react-router': '7.18.4',
      typescript: '^5.9.3',
      vite: '^7.0.0',
    },
    type: 'module',
    build: ['react-router', 'build'],
    file: 'server.js',
    processes: 2,
  },
]
