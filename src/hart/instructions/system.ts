/** ecall, ebreak and Zicsr. */

import { i32, i64, op, type Value } from '../../base/wasm/value.js'
import { encoding, type InstructionDefinition } from '../definition.js'
import type { Emitter } from '../emitter.js'
import { Exit } from '../exit.js'
import { FORMAT } from '../format.js'

const SYSTEM = 0x73

type Update = (old: Value, operand: Value) => Value

const UPDATES: readonly (readonly [suffix: string, update: Update])[] = [
  ['w', (_, operand) => operand],
  ['s', (old, operand) => op('i64_or', old, operand)],
  ['c', (old, operand) => op('i64_and', old, op('i64_xor', operand, i64(-1)))],
]

/** Set and clear with x0 (or 0) only read, so that they may name a read-only register. */
function emitUpdate(e: Emitter, suffix: string, update: Update, operand: Value): void {
  const writes = suffix === 'w' ? i32(1) : op('i32_ne', e.rs1Field, i32(0))
  const source = e.temp('i64', operand)
  const old = e.readCsr(writes)
  writes(e.code)
  e.code.if()
  e.writeCsr(update(old, source))
  e.code.end()
  e.setRd(old)
}

function csr([suffix, update]: readonly [string, Update], index: number): InstructionDefinition[] {
  return [
    {
      name: `csrr${suffix}`,
      ...encoding(SYSTEM, 1 + index),
      format: FORMAT.csr,
      emit: (e) => emitUpdate(e, suffix, update, e.rs1),
    },
    {
      name: `csrr${suffix}i`,
      ...encoding(SYSTEM, 5 + index),
      format: FORMAT.csrImmediate,
      emit: (e) => emitUpdate(e, suffix, update, op('i64_extend_i32_u', e.rs1Field)),
    },
  ]
}

export function systemInstructions(): readonly InstructionDefinition[] {
  return [
    { name: 'ecall', match: 0x73, mask: 0xffffffff, format: FORMAT.none, emit: (e) => e.leave(Exit.ecall) },
    {
      name: 'ebreak',
      match: 0x100073,
      mask: 0xffffffff,
      format: FORMAT.none,
      emit: (e) => e.leave(Exit.breakpoint),
    },
    ...UPDATES.flatMap(csr),
  ]
}
