/** The name of this host, as operators know it. */
import { hostname } from 'node:os'

const LONGEST_NAME = 100

/** Returns `TAKESPACE_HOST_NAME`, at most 100 characters; by default the name of the machine, or of its container. */
export const hostName = (): string => (process.env.TAKESPACE_HOST_NAME || hostname()).slice(0, LONGEST_NAME)
