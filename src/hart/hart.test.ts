import { describe, expect, it } from 'vitest'
import { PAGE_SIZE } from '../base/numbers.js'
import { Region, regionPtr } from '../state/layout.js'
import { restoreSnapshot, type Snapshot, takeSnapshot } from '../state/snapshot.js'
import { DECODE_TABLE_BYTES } from './decode-table.js'
import { definitionOf } from './disassembler.js'
import { Cause, Exit } from './exit.js'
import { HartField } from './hart-state.js'
import { asm } from './testing/assembler.js'
import { BareMachine, CODE } from './testing/bare-machine.js'

const COUNT = `
  li a0, 0
  loop: addi a0, a0, 1
  j loop`

describe('budget', () => {
  it.each([0, 1, 2, 3, 1000, 20_000, 20_001, 100_003])('executes exactly %i instructions', (budget) => {
    const machine = new BareMachine()
    expect(machine.run(COUNT, budget)).toBe(Exit.budget)
    expect(machine.hart.instructions()).toBe(budget)
    expect(machine.get('a0')).toBe(BigInt(Math.floor(budget / 2)))
  })

  it('comes to the same state in one run as step by step', () => {
    const machine = new BareMachine()
    machine.run(COUNT, 0)
    for (let i = 0; i < 100; i++) machine.hart.run(i % 3)
    expect([machine.get('a0'), machine.hart.instructions()]).toEqual([49n, 99])
  })

  it('does not count what trapped', () => {
    const machine = new BareMachine()
    machine.run('nop\nnop\necall')
    expect([machine.hart.instructions(), machine.hart.pc]).toEqual([2, CODE + 8])
    machine.hart.run(5)
    expect(machine.hart.instructions()).toBe(2)
  })
})

describe('a snapshot', () => {
  const machine = new BareMachine()
  const { memory, hart } = machine
  const tables = regionPtr(memory, Region.scratch)
  const goesOn = (snapshot: Snapshot) => {
    machine.run(COUNT, 20)
    restoreSnapshot(memory, snapshot)
    return [hart.run(11), machine.get('a0')]
  }

  it('from before there was a hart takes no decode tables away', () => {
    machine.run(COUNT, 10)
    const kept = memory.u8.slice(tables, tables + DECODE_TABLE_BYTES)
    memory.fill(tables, 0, DECODE_TABLE_BYTES)
    const snapshot = takeSnapshot(memory)
    memory.u8.set(kept, tables)
    expect(goesOn(snapshot)).toEqual([Exit.budget, 10n])
  })

  it('of another version brings none', () => {
    machine.run(COUNT, 10)
    const { bytes, frames, contents } = takeSnapshot(memory)
    const frame = tables / PAGE_SIZE
    expect(frames).not.toContain(frame)
    const before = frames.filter((one) => one < frame)
    const other = new Uint8Array(contents.length + PAGE_SIZE).fill(1)
    other.set(contents.subarray(0, before.length * PAGE_SIZE))
    other.set(contents.subarray(before.length * PAGE_SIZE), (before.length + 1) * PAGE_SIZE)
    const all = Uint32Array.from([...before, frame, ...frames.subarray(before.length)])
    expect(goesOn({ bytes, frames: all, contents: other })).toEqual([Exit.budget, 10n])
  })
})

describe('exits', () => {
  it('say why, with cause and tval', () => {
    const machine = new BareMachine()
    const { hart } = machine
    expect(machine.run('ecall')).toBe(Exit.ecall)
    expect(hart.cause).toBe(Cause.ecallUser)
    expect(machine.run('nop\nebreak')).toBe(Exit.breakpoint)
    expect([hart.cause, hart.tvalLow, hart.pc]).toEqual([Cause.breakpoint, CODE + 4, CODE + 4])
    expect(machine.run('c.ebreak')).toBe(Exit.breakpoint)
    expect(machine.run('.word 0xffffffff')).toBe(Exit.illegal)
    expect([hart.cause, hart.tvalLow, hart.tvalHigh]).toEqual([Cause.illegal, 0xffffffff, 0])
    expect(machine.run('.half 0\n.half 0x1234')).toBe(Exit.illegal)
    expect([hart.tvalLow, hart.pc]).toEqual([0, CODE])
  })

  it('a rounding mode that is reserved is illegal', () => {
    const machine = new BareMachine()
    const dynamic = asm('fadd.s fa0, fa1, fa2, dyn')
    expect(machine.run(`.word ${(dynamic & ~0x7000) | 0x5000}`)).toBe(Exit.illegal)
    machine.hart.setHalves(HartField.fcsr, 5 << 5, 0)
    expect(machine.run(`.word ${dynamic}`)).toBe(Exit.illegal)
    machine.hart.setHalves(HartField.fcsr, 4 << 5, 0)
    expect(machine.run(`.word ${dynamic}`, 1)).toBe(Exit.budget)
  })

  it('every compressed word and every opcode is illegal exactly when it has no definition', () => {
    const machine = new BareMachine()
    const { hart, memory } = machine
    machine.run('ecall')
    const place = machine.place(CODE) >>> 2
    const isIllegal = (word: number): boolean => {
      memory.u32[place] = word
      hart.pc = CODE
      return hart.run(1) === Exit.illegal
    }
    const wrong: number[] = []
    for (let low = 0; low < 65536; low++) {
      const words =
        (low & 3) === 3
          ? [low, low | 0xfff00000, low | 0x02000000, low | 0xf0000000, low | 0x10500000]
          : [low]
      for (const word of words) {
        // Rounding modes and CSR numbers are looked at by the instruction itself.
        const opcode = word & 0x7f
        if (opcode >= 0x43 && opcode <= 0x53) continue
        if (opcode === 0x73 && (word & 0x7000) !== 0) continue
        if (isIllegal(word >>> 0) !== (definitionOf(word) === undefined)) wrong.push(word >>> 0)
      }
    }
    expect(wrong.map((word) => word.toString(16))).toEqual([])
  }, 60_000)
})

describe('control and status registers', () => {
  const machine = new BareMachine()

  it('fflags, frm and fcsr are one register', () => {
    machine.set({ a1: 0xfff })
    expect(
      machine.run('csrrw a0, 3, a1\ncsrrs a0, 3, zero\ncsrrs a2, 1, zero\ncsrrs a3, 2, zero\necall'),
    ).toBe(Exit.ecall)
    expect(['a0', 'a2', 'a3'].map((name) => machine.get(name))).toEqual([0xffn, 31n, 7n])
    machine.run('csrrwi a0, 2, 1\ncsrrci a0, 1, 3\ncsrrsi a0, 3, 0\necall')
    expect(machine.get('a0')).toBe(0x3cn)
    machine.set({ a1: 0x1c })
    machine.run('csrrc a0, 3, a1\ncsrrs a2, 3, zero\necall')
    expect([machine.get('a0'), machine.get('a2')]).toEqual([0x3cn, 0x20n])
    machine.run('csrrwi a0, 3, 0\ncsrrw a0, 1, a1\ncsrrs a2, 3, zero\necall')
    expect(machine.get('a2')).toBe(0x1cn)
  })

  it('counts retired instructions, and time from them', () => {
    const { hart, memory } = machine
    const start = hart.instructions()
    expect(machine.run('nop\ncsrrs a0, 0xc02, zero\nnop\ncsrrs a1, 0xc00, zero\necall')).toBe(Exit.ecall)
    expect([machine.get('a0'), machine.get('a1')]).toEqual([BigInt(start + 1), BigInt(start + 3)])
    memory.f64[(hart.ptr + HartField.timeScale) >>> 3] = 0.25
    hart.setNumber(HartField.timeBase, 1000)
    machine.run('csrrs a0, 0xc01, zero\necall')
    expect(machine.get('a0')).toBe(BigInt(1000 + Math.floor((start + 4) / 4)))
  })

  it.each([
    ['csrrw a0, 0xc00, a1', 'a counter is read-only'],
    ['csrrsi a0, 0xc02, 1', 'a counter is read-only'],
    ['csrrw a0, 0x300, a1', 'not the user’s'],
    ['csrrs a0, 0, zero', 'not there'],
    ['csrrs a0, 0xc03, zero', 'not there'],
    ['csrrs a0, 4, zero', 'not there'],
  ])('%s is illegal: %s', (text) => {
    machine.set({ a0: 55 })
    expect(machine.run(text)).toBe(Exit.illegal)
    expect([machine.hart.tvalLow, machine.get('a0')]).toEqual([asm(text), 55n])
  })
})
