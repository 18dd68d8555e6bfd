/** The routes. */
import { Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common'
import { client } from './space.js'

@Controller()
export class AppController {
  @Get()
  hello() {
    return { hello: '{{name}}', process: process.pid }
  }

  @Post('greetings')
  @HttpCode(202)
  async greet(@Query('name') name = 'nobody') {
    const ticket = await client.enqueue('greet', { name })
    return { ticket: ticket.id }
  }

  @Get('greetings/:ticket')
  status(@Param('ticket') ticket: string) {
    return client.ticket(ticket).status()
  }
}
