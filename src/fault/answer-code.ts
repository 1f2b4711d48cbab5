/**
 * The commonest faults once more, as WebAssembly that the hart's walker calls: first touches of private anonymous memory (first-touch-emitter.ts), and writes
 * to its pages that are there and may not be written yet (private-write-emitter.ts). The hart does not stop then, and no JavaScript runs: a program has most
 * of its faults before V8 has compiled what answers them, and each takes 10 µs then and not 0.2. (A second way through the commonest case, as seL4 has
 * one for messages: whoever changes the first changes both, and the tests hold one against the other.)
 *
 *     answer(address, entry, access) → Answer
 *
 * `entry` is where the page-table entry of a 4 KiB page is, `access` as the walker has it. Only for memory that no other thread uses, with nothing that fails
 * or is watched. RAM is the same to the byte, whoever answers (first-write.test.ts): what costs virtual time is added to the hart's `time` register here,
 * and to the rest by who reads what is left of `left`.
 */
import type { Code } from '../base/wasm/code.js'
import { WasmModule } from '../base/wasm/module.js'
import { loadRaw, local } from '../base/wasm/value.js'
import { addFrameTaking } from '../frame/frame-taking.js'
import type { AnswerLayout } from './answer-layout.js'
import { FirstTouchEmitter } from './first-touch-emitter.js'
import { PrivateWriteEmitter } from './private-write-emitter.js'

/** A module that imports the memory and exports `answer`. */
export function answerBytes(layout: AnswerLayout): Uint8Array {
  const module = new WasmModule()
  module.importMemory('memory', { shared: layout.inSharedBuffer })
  const taking = addFrameTaking(module)
  const firstTouch = module.function('firstTouch', ['i64', 'i32', 'i32'], ['i32'], (code) =>
    new FirstTouchEmitter(code, layout, taking).emit(),
  )
  const privateWrite = module.function('privateWrite', ['i64', 'i32', 'i32'], ['i32'], (code) =>
    new PrivateWriteEmitter(code, layout, taking).emit(),
  )
  module.function('answer', ['i64', 'i32', 'i32'], ['i32'], (code) =>
    emitAnswer(code, firstTouch, privateWrite),
  )
  return module.bytes()
}

function emitAnswer(code: Code, firstTouch: number, privateWrite: number): void {
  const [address, entry, access] = [0, 1, 2]
  loadRaw('i64_load', local(entry))(code)
  code.op('i64_eqz').if('i32')
  code.get(address).get(entry).get(access).call(firstTouch).else()
  code.get(address).get(entry).get(access).call(privateWrite).end()
}
