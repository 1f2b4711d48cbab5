import type { WasmModule } from '../base/wasm/module.js'
import { i64, local, op, type Value } from '../base/wasm/value.js'

const LOW = i64(0xffff_ffff)

/** mulhu(a, b): the upper 64 bits of the unsigned product, from four products of halves. */
export function addMultiply(module: WasmModule): Map<string, number> {
  const low = (value: Value) => op('i64_and', value, LOW)
  const high = (value: Value) => op('i64_shr_u', value, i64(32))
  const [a, b] = [local(0), local(1)]
  const mulhu = module.function(undefined, ['i64', 'i64'], ['i64'], (code) => {
    const hold = (value: Value): Value => {
      const index = code.local('i64')
      value(code)
      code.set(index)
      return local(index)
    }
    const cross = hold(op('i64_add', op('i64_mul', high(a), low(b)), high(op('i64_mul', low(a), low(b)))))
    const middle = hold(op('i64_add', op('i64_mul', low(a), high(b)), low(cross)))
    op('i64_add', op('i64_mul', high(a), high(b)), op('i64_add', high(cross), high(middle)))(code)
  })
  return new Map([['mulhu', mulhu]])
}
