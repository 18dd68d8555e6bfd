/** The module. */
import { Module } from '@nestjs/common'
import { AppController } from './app.controller'
import { Database } from './database'
import { EventsGateway } from './events.gateway'

@Module({ controllers: [AppController], providers: [Database, EventsGateway] })
export class AppModule {}
