/** Tests of the long form alone: they take long, or need a machine that is not busy. */
import { test } from '@jest/globals'
import { isLong } from './form.js'

export const testInLongForm = (name: string, run: () => Promise<void>, timeoutMs?: number): void =>
  (isLong ? test : test.skip)(name, run, timeoutMs)
