/** Settings that name services: those of a gateway with their hosts and paths, and those of a worker. */
import { InvalidArgumentError } from 'commander'
import { checkServices, type ServiceOptions } from '../../../gateway/service-options.js'
import { name } from './schema.js'

/** `host/path=service`; both parts of the place are optional. */
const ENTRY = /^(?:([^/=]*)(\/[^=]*)?=)?([^=/]+)$/

/** The beginning of a JSON list of objects; `[::1]=web` begins with the address of a host. */
const LIST = /^\s*\[\s*(?:[{\]]|$)/

/**
 * Returns the services of a gateway, given as `web,/api=api,*.example.com/img=images`, or as a JSON list of objects like
 * those of `createGateway`.
 */
export function servicesOfGateway(text: string): readonly ServiceOptions[] {
  const services = LIST.test(text) ? fromJson(text) : text.split(',').map(fromEntry)
  try {
    checkServices(services)
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message)
  }
  return services
}

function fromJson(text: string): readonly ServiceOptions[] {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new InvalidArgumentError(`It is not JSON: ${(error as Error).message}.`)
  }
}

function fromEntry(text: string): ServiceOptions {
  const [, host = '', pathPrefix, service] = ENTRY.exec(text.trim()) ?? []
  if (service === undefined)
    throw new InvalidArgumentError(
      'It must be services with commas between them, each a name, or a host or path, an equals sign and a name: web,/api=api,admin.example.com=admin.',
    )
  return { service, ...(host === '' ? {} : { host }), ...(pathPrefix === undefined ? {} : { pathPrefix }) }
}

/** Returns the one service that a command is for: a config file may name several for workers. */
export function oneService(text: string): string {
  if (text.includes(',')) throw new InvalidArgumentError('It must be one service: give it with --service.')
  return name(text)
}

/** Returns the services of a worker, given with commas between them. */
export const servicesOfWorker = (text: string): readonly string[] => [...new Set(text.split(',').map(name))]
