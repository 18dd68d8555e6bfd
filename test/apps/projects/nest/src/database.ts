/** A resource that requests need and that the shutdown hooks close. */
import { Injectable, type OnApplicationShutdown, type OnModuleDestroy } from '@nestjs/common'

@Injectable()
export class Database implements OnModuleDestroy, OnApplicationShutdown {
  readonly rows: string[] = []
  isDestroyed = false
  isOpen = true

  onModuleDestroy() {
    this.isDestroyed = true
    console.log('module destroyed')
  }

  onApplicationShutdown() {
    this.isOpen = false
    console.log('database closed')
  }
}
