/** The routes. JavaScript has no decorators yet: they are called, for a method with its name and descriptor. */
import { Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common'
import { client } from './space.js'

export class AppController {
  hello() {
    return { hello: '{{name}}', process: process.pid }
  }

  async greet(name = 'nobody') {
    const ticket = await client.enqueue('greet', { name })
    return { ticket: ticket.id }
  }

  status(ticket) {
    return client.ticket(ticket).status()
  }
}

const decorate = (method, ...decorators) => {
  for (const decorator of decorators) {
    decorator(AppController.prototype, method, Object.getOwnPropertyDescriptor(AppController.prototype, method))
  }
}

Controller()(AppController)
decorate('hello', Get())
decorate('greet', Post('greetings'), HttpCode(202))
decorate('status', Get('greetings/:ticket'))
Query('name')(AppController.prototype, 'greet', 0)
Param('ticket')(AppController.prototype, 'status', 0)
