/** The routes. */
import { Body, Controller, Get, NotFoundException, Param, ParseIntPipe, Post, Query } from '@nestjs/common'
import { Database } from './database'

@Controller()
export class AppController {
  constructor(private readonly database: Database) {}

  @Get()
  hello(): string {
    return 'Hello World!'
  }

  @Get('cats/:id')
  cat(@Param('id', ParseIntPipe) id: number, @Query() query: Record<string, string>) {
    if (id > 9) throw new NotFoundException(`There is no cat ${id}`)
    return { id, query }
  }

  @Post('cats')
  create(@Body() cat: unknown) {
    return { created: cat }
  }

  @Post('slow')
  async slow() {
    console.log('slow request begun')
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    return { open: this.database.isOpen, destroyed: this.database.isDestroyed }
  }
}
