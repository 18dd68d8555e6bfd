/** The types of the package cluster-key-slot, which has none. */
declare module 'cluster-key-slot' {
  export default function calculateSlot(key: string): number
}
