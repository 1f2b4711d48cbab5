import { describe, expect, it } from 'vitest'
import { asm } from '../hart/testing/assembler.js'
import { buildVdso, VDSO_SIGRETURN } from './vdso.js'

const page = buildVdso()
const view = new DataView(page.buffer)
const u64 = (at: number) => Number(view.getBigUint64(at, true))
const text = (at: number) => new TextDecoder().decode(page.subarray(at, page.indexOf(0, at)))

/** Entries of the dynamic section by tag, found as a C library finds them: by PT_DYNAMIC. */
function dynamicEntries(): Map<number, number> {
  const headers = u64(32)
  const count = view.getUint16(56, true)
  const entries = new Map<number, number>()
  for (let i = 0; i < count; i++) {
    const at = headers + i * 56
    if (view.getUint32(at, true) !== 2) continue
    for (let entry = u64(at + 16); u64(entry) !== 0; entry += 16) entries.set(u64(entry), u64(entry + 8))
  }
  return entries
}

describe('the vdso page', () => {
  it('is a shared object whose one symbol is found through its hash table', () => {
    const dynamic = dynamicEntries()
    const [hash, strings, symbols] = [dynamic.get(4)!, dynamic.get(5)!, dynamic.get(6)!]
    const first = view.getUint32(hash + 8, true)
    const symbol = symbols + first * 24
    expect(text(strings + view.getUint32(symbol, true))).toBe('__vdso_rt_sigreturn')
    expect(u64(symbol + 8)).toBe(VDSO_SIGRETURN)
    expect(text(strings + dynamic.get(14)!)).toBe('linux-vdso.so.1')
    expect(view.getUint16(16, true)).toBe(3)
    expect(view.getUint16(18, true)).toBe(243)
  })

  it('holds the two instructions by which an unwinder knows a signal frame', () => {
    expect(view.getUint32(VDSO_SIGRETURN, true)).toBe(asm('addi a7, zero, 139'))
    expect(view.getUint32(VDSO_SIGRETURN + 4, true)).toBe(asm('ecall'))
  })
})
