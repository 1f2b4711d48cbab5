import { expect, test } from 'vitest'
import { bootLinux } from '../boot.js'
import { callbackOutput, fixedInput } from '../host.js'

test('the slab caches of what is made on first use are there from the start, in the order of a boot', () => {
  const output = callbackOutput(() => {})
  const { mm } = bootLinux({
    host: { stdin: fixedInput(new Uint8Array()), stdout: output, stderr: output },
    memory: 8 * 2 ** 20,
  })
  const names = mm.stats().slabs.map(({ name }) => name)
  expect(names.filter((name) => /^mqueue|^shm_segment/.test(name))).toEqual([
    'mqueue_waiter',
    'mqueue',
    'shm_segment',
  ])
})
