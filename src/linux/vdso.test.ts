import { describe, expect, it } from 'vitest'
import { buildVdso, elfHash } from './vdso.js'
import { VDSO_CODE, VDSO_FUNCTIONS } from './vdso-code.js'

const page = buildVdso()
const view = new DataView(page.buffer)
const u16 = (at: number) => view.getUint16(at, true)
const u32 = (at: number) => view.getUint32(at, true)
const u64 = (at: number) => Number(view.getBigUint64(at, true))
const text = (at: number) => new TextDecoder().decode(page.subarray(at, page.indexOf(0, at)))

/** Entries of the dynamic section by tag, found as a C library finds them: by PT_DYNAMIC. */
function dynamicEntries(): Map<number, number> {
  const headers = u64(32)
  const entries = new Map<number, number>()
  for (let i = 0; i < u16(56); i++) {
    const at = headers + i * 56
    if (u32(at) !== 2) continue
    for (let entry = u64(at + 16); u64(entry) !== 0; entry += 16) entries.set(u64(entry), u64(entry + 8))
  }
  return entries
}

const dynamic = dynamicEntries()
const [hash, strings, symbols] = [dynamic.get(4)!, dynamic.get(5)!, dynamic.get(6)!]

/** Number of a symbol, by the hash table; 0 when it is not there. */
function lookUp(name: string): number {
  const buckets = u32(hash)
  let index = u32(hash + 8 + (elfHash(name) % buckets) * 4)
  while (index !== 0 && text(strings + u32(symbols + index * 24)) !== name) {
    index = u32(hash + 8 + (buckets + index) * 4)
  }
  return index
}

/** Name of a symbol's version, by .gnu.version and .gnu.version_d. */
function versionOf(index: number): string {
  const wanted = u16(dynamic.get(0x6fff_fff0)! + index * 2)
  for (let at = dynamic.get(0x6fff_fffc)!; ; at += u32(at + 16)) {
    const name = text(strings + u32(at + u32(at + 12)))
    if (u16(at + 4) === wanted) {
      expect(u32(at + 8)).toBe(elfHash(name))
      return name
    }
    expect(u32(at + 16)).not.toBe(0)
  }
}

describe('the vdso page', () => {
  it('is a shared object for riscv64 with the name that ld.so shows', () => {
    expect([u16(16), u16(18)]).toEqual([3, 243])
    expect(text(strings + dynamic.get(14)!)).toBe('linux-vdso.so.1')
  })

  it.each(VDSO_FUNCTIONS.map(({ name }) => name))('has %s, version LINUX_4.15', (name) => {
    const index = lookUp(name)
    expect(index).toBeGreaterThan(0)
    expect(versionOf(index)).toBe('LINUX_4.15')
    const before = VDSO_FUNCTIONS.findIndex((one) => one.name === name)
    const words = VDSO_FUNCTIONS.slice(0, before).flatMap((one) => one.words)
    expect(u64(symbols + index * 24 + 8)).toBe(VDSO_CODE + words.length * 4)
    expect(u32(u64(symbols + index * 24 + 8))).toBe(VDSO_FUNCTIONS[before]!.words[0])
  })

  it('has nothing else', () => {
    expect(lookUp('__vdso_time')).toBe(0)
    expect(u32(hash + 4)).toBe(VDSO_FUNCTIONS.length + 2)
  })

  it('knows the hashes that the ABI gives', () => {
    expect(elfHash('LINUX_4.15')).toBe(0x0ae77f75)
    expect(elfHash('linux-vdso.so.1')).toBe(0x0deebfa1)
  })
})
