import type { InstructionDefinition } from '../definition.js'
import { FLOAT_DEFINITIONS } from '../float/definitions.js'
import { ATOMIC_INSTRUCTIONS } from './atomic.js'
import { compressedInstructions } from './compressed.js'
import { byFrequency } from './frequency.js'
import { INTEGER_INSTRUCTIONS } from './integer.js'
import { FLOAT_MOVE_INSTRUCTIONS, MEMORY_INSTRUCTIONS } from './memory.js'
import { MULTIPLY_INSTRUCTIONS } from './multiply.js'
import { SYSTEM_INSTRUCTIONS } from './system.js'

const BASE: readonly InstructionDefinition[] = [
  ...INTEGER_INSTRUCTIONS,
  ...MEMORY_INSTRUCTIONS,
  ...MULTIPLY_INSTRUCTIONS,
  ...ATOMIC_INSTRUCTIONS,
  ...SYSTEM_INSTRUCTIONS,
  ...FLOAT_MOVE_INSTRUCTIONS,
  ...FLOAT_DEFINITIONS,
]

/** RV64GC, the commonest first. Where two match one word, `excludes` tells them apart. */
export const INSTRUCTIONS: readonly InstructionDefinition[] = byFrequency([
  ...BASE,
  ...compressedInstructions(BASE),
])
