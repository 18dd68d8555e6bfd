/** The root module. JavaScript has no decorators yet: they are called. */
import { Module } from '@nestjs/common'
import { AppController } from './app.controller.js'

export class AppModule {}
Module({ controllers: [AppController] })(AppModule)
