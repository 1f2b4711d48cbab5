import type { Ptr } from '../../base/numbers.js'
import type { AtomicsOptions } from '../atomics.js'
import type { Memory } from '../memory.js'

type Words = Int32Array | Uint32Array

/**
 * The same memory, whose single words are loaded and stored in steps too, where `isWatched` says so: for what a lock should guard. A
 * missing lock shows only when somebody else can come between two plain accesses.
 */
export function watchedMemory(
  memory: Memory,
  onStep: NonNullable<AtomicsOptions['onStep']>,
  isWatched: (ptr: number) => boolean,
): Memory {
  const watch = (words: Words): Words => {
    const step = (operation: 'load' | 'store', key: string | symbol) => {
      const index = typeof key === 'string' ? Number(key) : Number.NaN
      if (index >= 0 && isWatched(index * 4)) onStep(operation, (index * 4) as Ptr)
    }
    return new Proxy(words, {
      get: (target, key) => {
        step('load', key)
        const value = Reflect.get(target, key, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
      set: (target, key, value) => {
        step('store', key)
        return Reflect.set(target, key, value, target)
      },
    })
  }
  const [i32, u32] = [watch(memory.i32), watch(memory.u32)]
  return Object.create(memory, { i32: { value: i32 }, u32: { value: u32 } })
}
