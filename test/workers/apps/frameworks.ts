/** Every framework that is compared: its app, twice the same, and its own way of standing on a socket. */
import { createServer, type Server } from 'node:http'
import { createAdaptorServer } from '@hono/node-server'
import express from 'express'
import express4 from 'express4'
import { toNodeHandler } from 'h3'
import type { App } from '../../../workers/index.js'
import { connectApp } from './connect.js'
import { ElysianApp } from './elysian.js'
import { expressApp } from './express.js'
import { fastifyApp } from './fastify.js'
import { h3App } from './h3.js'
import { honoApp } from './hono.js'
import { koaApp } from './koa.js'

export interface Framework {
  readonly name: string
  /** Whether it is one of fetch: its own server is an adapter of node:http to Request and Response. */
  readonly fetches: boolean
  /** `events` hears of the end of each exchange. */
  make(events: string[]): App
  /** A server that is its own, not listening yet. */
  server(events: string[]): Server | Promise<Server>
}

export const FRAMEWORKS: readonly Framework[] = [
  {
    name: 'Express 5',
    fetches: false,
    make: (events) => expressApp(express, events),
    server: (events) => createServer(expressApp(express, events)),
  },
  {
    name: 'Express 4',
    fetches: false,
    make: (events) => expressApp(express4, events),
    server: (events) => createServer(expressApp(express4, events)),
  },
  {
    name: 'connect',
    fetches: false,
    make: connectApp,
    server: (events) => createServer(connectApp(events)),
  },
  {
    name: 'Koa 3',
    fetches: false,
    make: koaApp,
    server: (events) => createServer(koaApp(events).callback()),
  },
  {
    name: 'Fastify 5',
    fetches: false,
    make: fastifyApp,
    async server(events) {
      const app = fastifyApp(events)
      await app.ready()
      return app.server
    },
  },
  {
    name: 'http.Server',
    fetches: false,
    make: (events) => createServer(connectApp(events)),
    server: (events) => createServer(connectApp(events)),
  },
  {
    name: 'Hono 4',
    fetches: true,
    make: honoApp,
    server: () => createAdaptorServer({ fetch: honoApp().fetch, overrideGlobalObjects: false }) as Server,
  },
  {
    name: 'h3 2',
    fetches: true,
    make: h3App,
    server: () => createServer(toNodeHandler(h3App())),
  },
  {
    name: 'an Elysia-like app',
    fetches: true,
    make: () => new ElysianApp(),
    server() {
      const app = new ElysianApp()
      return createAdaptorServer({ fetch: (request) => app.fetch(request), overrideGlobalObjects: false }) as Server
    },
  },
]
