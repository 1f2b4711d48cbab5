/** Loads, stores, atomics and float moves. */
import { describe, expect, it } from 'vitest'
import { Cause, Exit } from '../exit.js'
import { HartField } from '../hart-state.js'
import { BareMachine, DATA } from '../testing/bare-machine.js'

const BYTES = Uint8Array.of(0x80, 0x91, 0xa2, 0xb3, 0xc4, 0xd5, 0xe6, 0xf7)
const BOX = 0xffff_ffff_0000_0000n
const u64 = (value: bigint): bigint => BigInt.asUintN(64, value)

describe.each([false, true])('shared memory: %s', (shared) => {
  const machine = new BareMachine({ shared })

  /** Executes one instruction with a0 = DATA + 64 and BYTES there. */
  function one(text: string, registers: Readonly<Record<string, bigint | number>> = {}): void {
    machine.write(DATA + 64, BYTES)
    machine.set({ a0: DATA + 64, s0: DATA + 64, sp: DATA + 64, ...registers })
    expect(machine.run(text, 1)).toBe(Exit.budget)
  }

  it.each([
    ['lb', 0xffff_ffff_ffff_ff80n],
    ['lbu', 0x80n],
    ['lh', 0xffff_ffff_ffff_9180n],
    ['lhu', 0x9180n],
    ['lw', 0xffff_ffff_b3a2_9180n],
    ['lwu', 0xb3a2_9180n],
    ['ld', 0xf7e6_d5c4_b3a2_9180n],
  ])('%s', (name, value) => {
    one(`${name} a1, 0(a0)`)
    expect(machine.get('a1')).toBe(value)
    one(`${name} a1, -2048(a0)`, { a0: DATA + 64 + 2048 })
    expect(machine.get('a1')).toBe(value)
    one(`${name} zero, 0(a0)`)
    expect(machine.get('zero')).toBe(0n)
  })

  it.each([
    ['sb', 1],
    ['sh', 2],
    ['sw', 4],
    ['sd', 8],
  ])('%s', (name, bytes) => {
    const value = 0x1122_3344_5566_7788n
    one(`${name} a1, 16(a0)`, { a1: value, a0: DATA + 48 })
    expect(machine.read(DATA + 64, 8)).toBe(
      (value & (2n ** BigInt(8 * bytes) - 1n)) |
        ((0xf7e6_d5c4_b3a2_9180n >> BigInt(8 * bytes)) << BigInt(8 * bytes)),
    )
  })

  it('compressed loads and stores', () => {
    one('c.lw a1, 0(s0)')
    expect(machine.get('a1')).toBe(0xffff_ffff_b3a2_9180n)
    one('c.ld a1, 248(s0)', { s0: DATA + 64 - 248 })
    expect(machine.get('a1')).toBe(0xf7e6_d5c4_b3a2_9180n)
    one('c.ldsp t6, 504(sp)', { sp: DATA + 64 - 504 })
    expect(machine.get('t6')).toBe(0xf7e6_d5c4_b3a2_9180n)
    one('c.lwsp t6, 252(sp)', { sp: DATA + 64 - 252 })
    expect(machine.get('t6')).toBe(0xffff_ffff_b3a2_9180n)
    one('c.fldsp fa0, 8(sp)', { sp: DATA + 56 })
    expect(machine.get('fa0')).toBe(0xf7e6_d5c4_b3a2_9180n)
    one('c.fld fa1, 8(s0)', { s0: DATA + 56 })
    expect(machine.get('fa1')).toBe(0xf7e6_d5c4_b3a2_9180n)
    one('c.sw a1, 124(s0)', { a1: 0x1_0000_0005n, s0: DATA + 64 - 124 })
    expect(machine.read(DATA + 64, 8)).toBe(0xf7e6_d5c4_0000_0005n)
    one('c.sdsp ra, 0(sp)', { ra: 7 })
    expect(machine.read(DATA + 64, 8)).toBe(7n)
    one('c.swsp ra, 0(sp)', { ra: 8 })
    expect(machine.read(DATA + 64, 8)).toBe(0xf7e6_d5c4_0000_0008n)
    one('c.sd a1, 0(s0)', { a1: 9 })
    expect(machine.read(DATA + 64, 8)).toBe(9n)
    one('c.fsd fa1, 0(s0)', { fa1: 10 })
    expect(machine.read(DATA + 64, 8)).toBe(10n)
    one('c.fsdsp fs11, 0(sp)', { fs11: 11 })
    expect(machine.read(DATA + 64, 8)).toBe(11n)
  })

  it('float loads, stores and moves', () => {
    one('flw fa0, 0(a0)')
    expect(machine.get('fa0')).toBe(BOX | 0xb3a2_9180n)
    one('fld ft0, 0(a0)')
    expect(machine.get('ft0')).toBe(0xf7e6_d5c4_b3a2_9180n)
    one('fsw fa0, 0(a0)', { fa0: 0x1234_5678_9abc_def0n })
    expect(machine.read(DATA + 64, 8)).toBe(0xf7e6_d5c4_9abc_def0n)
    one('fsd fa0, 0(a0)')
    expect(machine.read(DATA + 64, 8)).toBe(0x1234_5678_9abc_def0n)
    one('fmv.x.w a1, fa0')
    expect(machine.get('a1')).toBe(0xffff_ffff_9abc_def0n)
    one('fmv.x.d a1, fa0')
    expect(machine.get('a1')).toBe(0x1234_5678_9abc_def0n)
    one('fmv.w.x fa1, a1')
    expect(machine.get('fa1')).toBe(BOX | 0x9abc_def0n)
    one('fmv.d.x fa1, a1')
    expect(machine.get('fa1')).toBe(0x1234_5678_9abc_def0n)
  })

  it.each([
    ['fsgnj', 0x4000_0000n, 0xc000_0000n],
    ['fsgnjn', 0xc000_0000n, 0x4000_0000n],
    ['fsgnjx', 0x4000_0000n, 0xc000_0000n],
  ])('%s', (name, positive, negative) => {
    one(`${name}.s fa2, fa0, fa1`, { fa0: BOX | 0x4000_0000n, fa1: BOX })
    expect(machine.get('fa2')).toBe(BOX | positive)
    one(`${name}.s fa2, fa0, fa1`, { fa0: BOX | 0x4000_0000n, fa1: BOX | 0x8000_0000n })
    expect(machine.get('fa2')).toBe(BOX | negative)
    one(`${name}.d fa2, fa0, fa1`, { fa0: 0x4000_0000_0000_0001n, fa1: 1n << 63n })
    expect(machine.get('fa2')).toBe((negative << 32n) | 1n)
    one(`${name}.s fa2, fa0, fa0`, { fa0: 0x4000_0000n })
    expect(machine.get('fa2') & 0x7fff_ffffn).toBe(0x7fc0_0000n)
  })

  it.each([
    ['swap', 5n, 5n],
    ['add', 4n, 4n],
    ['xor', u64(-6n), 0xffff_fffan],
    ['and', 5n, 5n],
    ['or', u64(-1n), 0xffff_ffffn],
    ['min', u64(-1n), 0xffff_ffffn],
    ['max', 5n, 5n],
    ['minu', 5n, 5n],
    ['maxu', u64(-1n), 0xffff_ffffn],
  ])('amo%s', (name, double, word) => {
    machine.write(DATA, new Uint8Array(8).fill(0xff))
    machine.set({ a0: DATA, a1: 5 })
    machine.run(`amo${name}.d a2, a1, (a0)`, 1)
    expect([machine.get('a2'), machine.read(DATA, 8)]).toEqual([u64(-1n), double])
    machine.write(DATA, new Uint8Array(8).fill(0xff))
    machine.run(`amo${name}.w a0, a1, (a0)`, 1)
    expect([machine.get('a0'), machine.read(DATA, 4), machine.read(DATA + 4, 4)]).toEqual([
      u64(-1n),
      word,
      0xffff_ffffn,
    ])
  })

  it('stores conditionally, once, to the reserved place and to an unchanged value', () => {
    const attempt = (between: string): [bigint, bigint] => {
      machine.write(DATA, new Uint8Array(16))
      machine.set({ a0: DATA, a1: 5, a3: DATA + 8 })
      machine.run(`lr.d a4, (a0)\n${between}\nsc.d a2, a1, (a0)\necall`)
      return [machine.get('a2'), machine.read(DATA, 8)]
    }
    expect(attempt('nop')).toEqual([0n, 5n])
    expect(attempt('sc.d a4, a1, (a0)')).toEqual([1n, 5n])
    expect(attempt('lr.d a4, (a3)')).toEqual([1n, 0n])
    expect(attempt('sb a1, 7(a0)')).toEqual([1n, 5n << 56n])
    machine.write(DATA, BYTES)
    machine.run('lr.w a4, (a0)\nsc.w a2, a1, (a0)', 2)
    expect([machine.get('a4'), machine.get('a2'), machine.read(DATA, 8)]).toEqual([
      0xffff_ffff_b3a2_9180n,
      0n,
      0xf7e6_d5c4_0000_0005n,
    ])
  })

  it.each([
    ['lr.w a1, (a0)', 2, Cause.loadMisaligned],
    ['lr.d a1, (a0)', 4, Cause.loadMisaligned],
    ['amoadd.w a1, a1, (a0)', 2, Cause.storeMisaligned],
    ['amoswap.d a1, a1, (a0)', 4, Cause.storeMisaligned],
  ])('%s must be aligned', (text, offset, cause) => {
    machine.set({ a0: DATA + offset, a1: 77 })
    expect(machine.run(text)).toBe(Exit.misaligned)
    expect([machine.hart.cause, machine.hart.tvalLow, machine.get('a1')]).toEqual([cause, DATA + offset, 77n])
  })

  it('keeps a reservation across a fault of SC', () => {
    machine.set({ a0: DATA + 0x1000, a1: 5 })
    const entry = machine.pte(DATA + 0x1000)
    machine.run('lr.d a2, (a0)\nsc.d a2, a1, (a0)\necall', 1)
    machine.setEntry(DATA + 0x1000, entry & ~4, 0)
    expect(machine.hart.run(1)).toBe(Exit.storeFault)
    machine.setEntry(DATA + 0x1000, entry, 0)
    expect(machine.hart.run(1)).toBe(Exit.budget)
    expect(machine.get('a2')).toBe(0n)
    expect(machine.hart.low(HartField.isReserved)).toBe(0)
  })
})
