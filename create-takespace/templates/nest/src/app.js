/** The app of this service: takespace runs it in its workers, beside the tasks. */
import 'reflect-metadata'
import { NestFactory } from '@nestjs/core'
import { AppModule } from './app.module.js'

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] })
await app.init()

export { tasks } from './tasks.js'
export default app.getHttpAdapter().getInstance()
