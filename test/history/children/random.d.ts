/** What random.js exports: numbers from 0 to below 1. */
export function randomOf(seed: number): () => number
