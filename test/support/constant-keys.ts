/**
 * The keys that stay of a space that nobody uses (src/engines/redis/protocol.ts): its counters, the number of its partitions,
 * the roots of kinds and their keys, what was written before a question to the replicas, and the lists of ids that a later
 * sweep will look at.
 */
const CONSTANT = /\}:(m|kinds|keyed|level|partitions|sweep:\d+)$/

export const isConstantKey = (key: string): boolean => CONSTANT.test(key)
