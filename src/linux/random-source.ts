/** Where everything random of a machine comes from: one seeded generator, whose state is in the buffer. */
import { Random } from '../base/random.js'
import { Word, wordIndex } from '../state/layout.js'
import type { Memory } from '../state/memory.js'

/** Lends the machine's generator; what `use` draws from it nobody draws again. */
export function withRandom<T>({ u32 }: Memory, use: (random: Random) => T): T {
  const state = wordIndex(Word.randomState)
  const random = new Random(u32[state]!)
  const result = use(random)
  u32[state] = random.seed
  return result
}
