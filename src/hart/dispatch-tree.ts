/**
 * From the number of an instruction's definition to the code of it, by comparisons. One jump through a table would do, and is what takes half of an
 * interpreter's time: a processor keeps some thousand targets of such jumps in mind, and programs come to many more places than that, so that it
 * guesses wrong at every third or fourth instruction where the jump leads and starts again, 9 ns later. Of branches that go one way or the other it
 * remembers many times as many. (Measured with sqlite3, all interpreted: 5.1 ns an instruction with the table, 2.7 with the tree; first comparing with the
 * commonest sixteen one after another, and then the table: seven tenths of the gain in first runs of sqlite3, a quarter in C++ containers. A tree that decides by the bits of the instruction, with no decode table
 * before it, is no better.)
 */
import type { Code, Label } from '../base/wasm/code.js'
import { i32, op, type Value } from '../base/wasm/value.js'

/** Definitions that are so rare together, of 10,000 executed, share a table. */
const RARE = 150

/** Goes to the block of the definition that has the number, and to `otherwise` with a larger one. `shares`: how common each is (frequency.ts). */
export function emitDispatch(
  code: Code,
  number: Value,
  shares: readonly number[],
  blocks: readonly Label[],
  otherwise: Label,
): void {
  const tree = (from: number, to: number): void => {
    const isOne = to - from === 1
    // The last one's table has what is larger, too.
    if (isOne && to < blocks.length) {
      code.br(blocks[from]!)
      return
    }
    if (isOne || shareOfAll(shares, from, to) < RARE) {
      number(code)
      code.brTable(blocks, otherwise)
      return
    }
    const middle = middleOf(shares, from, to)
    op('i32_lt_u', number, i32(middle))(code)
    code.if()
    tree(from, middle)
    code.else()
    tree(middle, to)
    code.end()
  }
  tree(0, blocks.length)
  code.op('unreachable')
}

function shareOfAll(shares: readonly number[], from: number, to: number): number {
  return shares.slice(from, to).reduce((all, share) => all + share, 0)
}

/** Where two halves are as common as each other, or nearly. */
function middleOf(shares: readonly number[], from: number, to: number): number {
  const all = shareOfAll(shares, from, to)
  let best = from + 1
  const unevenness = (middle: number) => Math.abs(all - 2 * shareOfAll(shares, from, middle))
  for (let middle = best + 1; middle < to; middle++) {
    if (unevenness(middle) < unevenness(best)) best = middle
  }
  return best
}
