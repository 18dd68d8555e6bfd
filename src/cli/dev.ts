/** `takespace dev`: gateway and worker in one process, on a space in memory, with the newest code; nothing else needs to be installed. */
import type { Command } from 'commander'
import { createGateway } from '../../gateway/index.js'
import type { App } from '../../workers/index.js'
import { openSpace } from '../open.js'
import { loadApp } from './app.js'
import { openLog } from './log.js'
import { type Reloading, runReloading } from './reload.js'
import { concurrencyOption, portOption } from './settings.js'
import { stopOnSignal } from './signals.js'
import { welcome } from './welcome.js'

interface Flags {
  readonly port: number
  readonly concurrency: number
}

export function dev(program: Command): void {
  program
    .command('dev')
    .description('serve an app from one process, with the space in memory, and reload it when its files change')
    .argument('<app>', 'the app file: a module that exports its app as default or as `app`, or `tasks`')
    .addOption(portOption())
    .addOption(concurrencyOption())
    .action(run)
}

async function run(file: string, { port, concurrency }: Flags): Promise<void> {
  const logger = await openLog('dev')
  const served = await loadApp<App>(file)
  const space = await openSpace('memory:', { logger })
  const gateway = createGateway({ space, port, logger })
  const tell = (line: string): void => void process.stdout.write(`takespace: ${line}\n`)
  let reloading: Reloading | undefined
  try {
    reloading = await runReloading(file, served, { space, concurrency, logger }, tell)
    await gateway.start()
  } catch (error) {
    reloading?.close()
    await space.close()
    throw error
  }
  process.stdout.write(welcome(file, gateway.url, served.app))
  stopOnSignal({
    async stop() {
      reloading?.close()
      await space.close()
      // The app may hold timers and connections of its own, of which we know nothing.
      process.exit(0)
    },
  })
}
