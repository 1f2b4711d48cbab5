/**
 * forgetSpans(span, end, fromPage, endPage): a function of the interpreter's module that empties the spans from one on up to another that hold one of the
 * pages. (When a program writes to what it has read, or gives back what it had, the others stay: a storm of malloc looked for spans a hundred
 * thousand times, because all were emptied.)
 */
import { PAGE_SHIFT } from '../../base/numbers.js'
import type { WasmModule } from '../../base/wasm/module.js'
import { i32, i64, loadRaw, local, op, storeRaw, type Value } from '../../base/wasm/value.js'
import { SPAN_BYTES, Span } from './page-spans.js'

/** Adds the function to the interpreter's module. */
export function addForgetSpans(module: WasmModule): void {
  module.function('forgetSpans', ['i32', 'i32', 'i32', 'i32'], [], (code) => {
    const [span, end, fromPage, endPage] = [local(0), local(1), local(2), local(3)]
    const page = (address: Value): Value => op('i32_wrap_i64', op('i64_shr_u', address, i64(PAGE_SHIFT)))
    const start = loadRaw('i64_load', span, Span.start)
    const done = code.block()
    const again = code.loop()
    op('i32_ge_u', span, end)(code)
    code.brIf(done)
    const first = page(start)
    const last = page(op('i64_add', start, loadRaw('i64_load', span, Span.limit)))
    op('i32_and', op('i32_lt_u', first, endPage), op('i32_ge_u', last, fromPage))(code)
    code.if()
    for (let at = 0; at < SPAN_BYTES; at += 8) storeRaw('i64_store', span, i64(0), at)(code)
    code.end()
    op('i32_add', span, i32(SPAN_BYTES))(code)
    code.set(0).br(again).end().end()
  })
}
