import type { InstructionDefinition } from '../definition.js'
import { floatInstructions } from '../float/definitions.js'
import { atomicInstructions } from './atomic.js'
import { compressedInstructions } from './compressed.js'
import { byFrequency } from './frequency.js'
import { integerInstructions } from './integer.js'
import { floatMoveInstructions, memoryInstructions } from './memory.js'
import { multiplyInstructions } from './multiply.js'
import { systemInstructions } from './system.js'

/**
 * RV64GC, the commonest first. Where two match one word, `excludes` tells them apart. They are made anew each time, so who asks often keeps them; a program whose
 * interpreter and translated code were kept needs none.
 */
export function instructions(): readonly InstructionDefinition[] {
  const base = [
    ...integerInstructions(),
    ...memoryInstructions(),
    ...multiplyInstructions(),
    ...atomicInstructions(),
    ...systemInstructions(),
    ...floatMoveInstructions(),
    ...floatInstructions(),
  ]
  return byFrequency([...base, ...compressedInstructions(base)])
}
