/** The Redis engine. */
import type { Engine } from '../../engine.js'
export const RedisEngine = {
  open: async (_url: string, _options: object): Promise<Engine> => {
    throw new Error('soon')
  },
}
