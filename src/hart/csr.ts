/** The CSRs that user mode sees, emitted as functions of the interpreter's module. */
import type { Code } from '../base/wasm/code.js'
import type { WasmModule } from '../base/wasm/module.js'
import { i32, loadRaw, local, op, storeRaw, type Value } from '../base/wasm/value.js'
import type { HartLayout } from './hart-layout.js'
import { HartField } from './hart-state.js'

/** CSR numbers (privileged manual, table of unprivileged CSRs). */
export const Csr = {
  fflags: 0x001,
  frm: 0x002,
  fcsr: 0x003,
  cycle: 0xc00,
  time: 0xc01,
  instret: 0xc02,
} as const

export function addCsrFunctions(module: WasmModule, { hart }: HartLayout): Map<string, number> {
  const csrAllows = module.function(undefined, ['i32', 'i32'], ['i32'], emitAllows)
  const csrRead = module.function(undefined, ['i32', 'i64'], ['i64'], (code) => emitRead(code, hart))
  const csrWrite = module.function(undefined, ['i32', 'i64'], [], (code) => emitWrite(code, hart))
  return new Map(Object.entries({ csrAllows, csrRead, csrWrite }))
}

/** csrAllows(number, write): whether it exists and may be accessed so. */
function emitAllows(code: Code): void {
  const [number, write] = [local(0), local(1)]
  const isFloat = op('i32_lt_u', op('i32_sub', number, i32(Csr.fflags)), i32(3))
  const isCounter = op('i32_lt_u', op('i32_sub', number, i32(Csr.cycle)), i32(3))
  op('i32_or', isFloat, op('i32_and', isCounter, op('i32_eqz', write)))(code)
}

function whenIs(code: Code, number: number, then: Value): void {
  op('i32_eq', local(0), i32(number))(code)
  code.if()
  then(code)
  code.op('return').end()
}

/** csrRead(number, instructions of this run that are not in the record yet). */
function emitRead(code: Code, hart: number): void {
  const fcsr = loadRaw('i32_load', i32(hart), HartField.fcsr)
  const instret = op('i64_add', loadRaw('i64_load', i32(hart), HartField.instret), local(1))
  const scaled = op(
    'f64_mul',
    op('f64_convert_i64_u', instret),
    loadRaw('f64_load', i32(hart), HartField.timeScale),
  )
  const ticks: Value = (c) => {
    scaled(c)
    c.saturating('i64_trunc_sat_f64_s')
  }
  whenIs(code, Csr.fflags, op('i64_extend_i32_u', op('i32_and', fcsr, i32(31))))
  whenIs(code, Csr.frm, op('i64_extend_i32_u', op('i32_shr_u', fcsr, i32(5))))
  whenIs(code, Csr.fcsr, op('i64_extend_i32_u', fcsr))
  whenIs(code, Csr.time, op('i64_add', loadRaw('i64_load', i32(hart), HartField.timeBase), ticks))
  instret(code)
}

/** csrWrite(number, value). */
function emitWrite(code: Code, hart: number): void {
  const fcsr = loadRaw('i32_load', i32(hart), HartField.fcsr)
  const low = op('i32_wrap_i64', local(1))
  const set = (value: Value): Value => storeRaw('i32_store', i32(hart), value, HartField.fcsr)
  const keep = (mask: number): Value => op('i32_and', fcsr, i32(mask))
  whenIs(code, Csr.fflags, set(op('i32_or', keep(0xe0), op('i32_and', low, i32(31)))))
  const mode = op('i32_shl', op('i32_and', low, i32(7)), i32(5))
  whenIs(code, Csr.frm, set(op('i32_or', keep(31), mode)))
  set(op('i32_and', low, i32(255)))(code)
}
