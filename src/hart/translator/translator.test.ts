import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { EntryFlag } from '../../arch/memory-management-arch.js'
import { Riscv64Sv39 } from '../../arch/riscv64/sv39.js'
import type { Pfn, Vpn } from '../../base/numbers.js'
import { Region, regionPtr } from '../../state/layout.js'
import { restoreSnapshot, takeSnapshot } from '../../state/snapshot.js'
import { Exit } from '../exit.js'
import type { HartCode } from '../hart-code.js'
import { assemble } from '../testing/assembler.js'
import { BareMachine, CODE, DATA } from '../testing/bare-machine.js'
import { EPOCH, EPOCHS_OFFSET, PLACES_MAX } from './code-epoch.js'
import { CodePages } from './code-pages.js'
import { CODE_SETS } from './entry-table.js'
import { SPANS_OFFSET, Span } from './page-spans.js'

const RX = EntryFlag.read | EntryFlag.execute | EntryFlag.user
const THRESHOLD = 20

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

/** Calls a function at CODE + 0x100 a0 times; it adds to a1. */
const CALLER = `
  loop: jal ra, ${CODE + 256}
  addi a0, a0, -1
  bne a0, zero, loop
  ecall`
const add = (amount: number) => `addi a1, a1, ${amount}\njalr zero, 0(ra)`

class Caller extends BareMachine {
  constructor(options: { threshold?: number; shared?: boolean } = {}) {
    super({ threshold: THRESHOLD, ...options })
  }

  /** Runs CALLER with what is at its place now. */
  call(times: number, budget = 1e6): Exit {
    this.set({ a0: times, a1: 0 })
    return this.run(CALLER, budget)
  }

  setFunction(amount: number): void {
    this.write(CODE + 0x100, assemble(add(amount), CODE + 0x100))
  }
}

describe('translated code', () => {
  it('takes over what is executed often', () => {
    const machine = new Caller()
    machine.setFunction(1)
    expect(machine.call(1000)).toBe(Exit.ecall)
    expect(machine.get('a1')).toBe(1000n)
    const { translation } = machine.hart
    expect(translation!.regions).toBeGreaterThan(0)
    expect(translation!.interpreted).toBeLessThan(20 * THRESHOLD)
    expect(machine.hart.instructions()).toBe(5000)
  })

  it.each([1, 7, 100, 4999, 5000])('executes exactly %i instructions', (budget) => {
    const machine = new Caller()
    machine.setFunction(3)
    machine.call(1000)
    const before = machine.hart.instructions()
    expect(machine.call(1000, budget)).toBe(Exit.budget)
    expect(machine.hart.instructions() - before).toBe(budget)
    machine.hart.run(1e6)
    expect([machine.get('a1'), machine.hart.instructions() - before]).toEqual([3000n, 5000])
  })

  it('is not used when the kernel has written other code', () => {
    const machine = new Caller()
    for (const amount of [1, 2, 3, 4]) {
      machine.setFunction(amount)
      machine.call(1000)
      expect(machine.get('a1')).toBe(BigInt(1000 * amount))
    }
  })

  it('is left by a store that changes it', () => {
    const machine = new Caller()
    machine.setFunction(1)
    machine.call(1000)
    // Each turn makes the function add one more from then on.
    const words = new DataView(assemble('addi a1, a1, 0', 0).buffer)
    machine.set({ a0: 1000, a1: 0, a2: words.getInt32(0, true), a3: CODE + 0x100, a4: 1 << 20 })
    const source = `
      loop: sw a2, 0(a3)
      add a2, a2, a4
      jal ra, ${CODE + 256}
      addi a0, a0, -1
      bne a0, zero, loop
      ecall`
    expect(machine.run(source)).toBe(Exit.ecall)
    expect(machine.get('a1')).toBe(BigInt((999 * 1000) / 2))
  })

  it.each([1, 2, 3])('goes on in functions of %i addresses that share a set of the entry table', (ways) => {
    const machine = new Caller()
    // Too long to be taken into the loop that calls them.
    const places = [1, 2, 3].slice(0, ways).map((way) => 0x80100 + way * 2 * CODE_SETS)
    places.forEach((place, way) => {
      machine.map(place, machine.frame(), RX)
      const body = new Array(40).fill(`addi a1, a1, ${way + 1}`).join('\n')
      machine.write(place, assemble(`${body}\njalr zero, 0(ra)`, place))
    })
    const calls = places.map((place) => `jal ra, ${place}`).join('\n')
    machine.set({ a0: 1000, a1: 0 })
    expect(machine.run(`loop: ${calls}\naddi a0, a0, -1\nbne a0, zero, loop\necall`, 1e6)).toBe(Exit.ecall)
    expect(machine.get('a1')).toBe(BigInt((40_000 * ways * (ways + 1)) / 2))
    expect(machine.hart.instructions()).toBe(1000 * (ways * 42 + 2))
    expect(machine.hart.translation!.regions).toBeGreaterThan(1)
    // Of three, one or another is interpreted.
    expect(machine.hart.translation!.interpreted).toBeLessThan(ways < 3 ? 2000 : 1000 * 50)
  })

  it('belongs to the frame that is mapped', () => {
    const machine = new Caller()
    const frames = [5, 7].map((amount) => {
      const frame = machine.frame()
      machine.map(CODE + 4096, frame, RX)
      machine.write(CODE + 4096, assemble(add(amount), CODE + 4096))
      return frame
    })
    const source = CALLER.replace(String(CODE + 256), String(CODE + 4096))
    for (let turn = 0; turn < 6; turn++) {
      machine.map(CODE + 4096, frames[turn & 1]!, RX)
      machine.set({ a0: 1000, a1: 0 })
      expect(machine.run(source)).toBe(Exit.ecall)
      expect(machine.get('a1')).toBe(turn & 1 ? 7000n : 5000n)
    }
  })

  it('faults where the interpreter does when its page is gone', () => {
    const machine = new Caller()
    machine.write(CODE + 4096, assemble(add(1), CODE + 4096))
    const source = CALLER.replace(String(CODE + 256), String(CODE + 4096))
    machine.set({ a0: 1000 })
    machine.run(source)
    machine.unmap(CODE + 4096)
    machine.set({ a0: 1000, a1: 0 })
    expect(machine.run(source)).toBe(Exit.fetchFault)
    expect([machine.hart.pc, machine.hart.tvalLow, machine.get('ra')]).toEqual([
      CODE + 4096,
      CODE + 4096,
      BigInt(CODE + 4),
    ])
  })

  it('leaves at the instruction that faults, with what was executed before it', () => {
    const machine = new BareMachine({ threshold: THRESHOLD })
    const end = DATA + 16 * 4096
    machine.set({ a0: end - 8 * 1000, a1: 0 })
    const source = `
      loop: ld a2, 0(a0)
      addi a1, a1, 1
      addi a0, a0, 8
      j loop`
    expect(machine.run(source)).toBe(Exit.loadFault)
    expect([machine.get('a1'), machine.hart.pc, machine.hart.tvalLow]).toEqual([1000n, CODE, end])
    expect(machine.hart.instructions()).toBe(4000)
  })

  it('sets no accessed bit of a page that nothing is fetched from', () => {
    const machine = new BareMachine({ threshold: THRESHOLD })
    machine.set({ a0: 1000 })
    // The branch over the page's end is never taken.
    const start = CODE + 4096 - 16
    const source = `
      loop: addi a0, a0, -1
      blt a0, zero, beyond
      bne a0, zero, loop
      ecall
      beyond: nop
      j loop`
    expect(machine.run(source, 1e5, start)).toBe(Exit.ecall)
    expect(machine.pte(CODE + 4096) & EntryFlag.accessed).toBe(0)
  })

  it('is left where the page of an access is not in the TLB, and goes on behind it', () => {
    const machine = new BareMachine({ threshold: THRESHOLD })
    const source = `
      loop: ld a2, 0(a0)
      ld a3, 8(a0)
      sd a3, 16(a0)
      addi a1, a1, 1
      bne a1, a4, loop
      ecall`
    for (let turn = 0; turn < 4; turn++) {
      machine.tlbs.flushAll(0)
      machine.set({ a0: DATA + 4096 * turn, a1: 0, a4: 500 })
      expect(machine.run(source)).toBe(Exit.ecall)
      expect(machine.get('a1')).toBe(500n)
      expect(machine.pte(DATA + 4096 * turn) & EntryFlag.dirty).toBe(EntryFlag.dirty)
    }
    expect(machine.pte(DATA + 4 * 4096) & EntryFlag.accessed).toBe(0)
  })

  it.each([
    ['forgotten', (machine: BareMachine, page: number) => machine.tlbs.flushPage(0, (page / 4096) as Vpn)],
    ['not there any more', (machine: BareMachine, page: number) => machine.unmap(page)],
    [
      'elsewhere',
      (machine: BareMachine, page: number) => machine.map(page, machine.frame(), RX | EntryFlag.write),
    ],
    [
      'only to be read',
      (machine: BareMachine, page: number) => {
        machine.map(page, (machine.place(page) / 4096) as Pfn, EntryFlag.read | EntryFlag.user)
      },
    ],
  ])('goes through pages in a row without looking, until one is %s', (_, change) => {
    const results = [0, THRESHOLD].map((threshold) => {
      const machine = new BareMachine({ threshold })
      const source = `
        outer: addi a0, a3, 0
        loop: ld a2, 0(a0)
        add a1, a1, a2
        sd a1, 0(a0)
        addi a0, a0, 256
        bltu a0, a4, loop
        addi a5, a5, -1
        bne a5, zero, outer
        ecall`
      machine.set({ a1: 1, a3: DATA, a4: DATA + 8 * 4096, a5: 100 })
      const first = machine.run(source, 1e6)
      change(machine, DATA + 5 * 4096)
      machine.set({ a5: 100 })
      const { hart } = machine
      hart.pc = CODE
      const second = hart.run(1e6)
      return [first, second, hart.pc, hart.tvalLow, hart.instructions(), machine.get('a0'), machine.get('a1')]
    })
    expect(results[1]).toEqual(results[0])
  })

  it('notices a store that goes through pages in a row, to one that was translated meanwhile', () => {
    const machine = new BareMachine({ threshold: THRESHOLD })
    const place = DATA + 4096
    const fill = `
      loop: sw a2, 0(a0)
      addi a0, a0, 4
      bltu a0, a4, loop
      ecall`
    const [back, ...adds] = ['jalr zero, 0(ra)', 'addi a1, a1, 1', 'addi a1, a1, 2', 'addi a1, a1, 3'].map(
      (one) => new DataView(assemble(one, 0).buffer).getInt32(0, true),
    )
    const call = CODE + 4096
    machine.write(call, assemble(CALLER.replace(String(CODE + 256), String(place)), call))
    machine.write(CODE, assemble(fill, CODE))
    const go = (pc: number): Exit => {
      machine.hart.pc = pc
      return machine.hart.run(1e6)
    }
    const store = (word: number, start: number, end: number): void => {
      machine.set({ a0: start, a2: word, a4: end })
      expect(go(CODE)).toBe(Exit.ecall)
    }
    adds.forEach((word, i) => {
      store(back!, place + 40, place + 44)
      store(word, place, place + 40)
      // The store that comes last goes where the span of it is.
      store(word, DATA, place + 40)
      machine.set({ a0: 1000, a1: 0 })
      expect(go(call)).toBe(Exit.ecall)
      expect(machine.get('a1')).toBe(BigInt(10_000 * (i + 1)))
    })
  })

  it('keeps the longer run of pages when a load seldom goes to a few others', () => {
    const machine = new BareMachine({ threshold: THRESHOLD })
    const source = `
      loop: andi a2, a5, 1023
      slli a0, a2, 4
      add a0, a0, a3
      bne a2, a6, near
      addi a0, a4, 0
      near: ld a2, 0(a0)
      add a1, a1, a2
      addi a5, a5, -1
      bne a5, zero, loop
      ecall`
    // Of the pages, 6 to 12 lie one behind the other, and 13 to 15.
    const [near, far] = [DATA + 6 * 4096, DATA + 13 * 4096]
    machine.set({ a1: 0, a3: near, a4: far, a5: 5 * 1024 + 1, a6: 1 })
    machine.memory.u8[machine.place(near)] = 1
    machine.memory.u8[machine.place(far)] = 100
    expect(machine.run(source, 1e6)).toBe(Exit.ecall)
    expect(machine.get('a1')).toBe(605n)
    const span = (regionPtr(machine.memory, Region.codeEntries) + SPANS_OFFSET) >>> 2
    const { u32 } = machine.memory
    expect(u32[span + Span.start / 4]).toBe(near)
    expect(u32[span + Span.limit / 4]).toBe(4 * 4096 - 7)
  })

  it('is made anew when what it reaches of a register lies in two pages', () => {
    const machine = new BareMachine({ threshold: THRESHOLD })
    const source = `
      loop: ld a2, 0(a0)
      add a1, a1, a2
      ld a2, 8(a0)
      add a1, a1, a2
      sd a1, 16(a0)
      addi a3, a3, -1
      bne a3, zero, loop
      ecall`
    machine.set({ a0: DATA + 4096 - 12, a1: 0, a3: 20_000 })
    machine.memory.u8[machine.place(DATA + 4096 - 12)] = 1
    expect(machine.run(source, 1e6)).toBe(Exit.ecall)
    expect(machine.get('a1')).toBe(20_000n)
    expect(machine.read(DATA + 4096 + 4, 4)).toBe(20_000n)
    // Made without windows, it looks for each access, and all but those that cross the end are found.
    expect(machine.hart.translation!.regions).toBeGreaterThan(1)
    machine.set({ a0: DATA + 4096 - 16, a1: 0, a3: 20_000 })
    const before = machine.hart.translation!.interpreted
    expect(machine.run(source, 1e6)).toBe(Exit.ecall)
    expect(machine.hart.translation!.interpreted - before).toBeLessThan(10_000)
  })

  it('is looked at again when the number of runs has gone round', () => {
    const machine = new Caller()
    machine.setFunction(1)
    machine.call(1000)
    const { i32 } = machine.memory
    const table = regionPtr(machine.memory, Region.codeEntries)
    // All have looked in a run that will be the first one again.
    i32.fill(1, (table + EPOCHS_OFFSET) >>> 2, ((table + EPOCHS_OFFSET) >>> 2) + PLACES_MAX)
    i32[(table + EPOCH) >>> 2] = -(2 ** 31)
    machine.setFunction(2)
    for (const times of [1000, 1000]) {
      expect(machine.call(times)).toBe(Exit.ecall)
      expect(machine.get('a1')).toBe(BigInt(2 * times))
    }
    expect(i32[(table + EPOCH) >>> 2]).toBeGreaterThan(0)
  })

  /** Two functions on one page: the first one's translation stamps it, and then it is the second one's turn. */
  function twoOnOnePage() {
    const machine = new BareMachine({ threshold: THRESHOLD })
    const functions = { a1: 0x200, a2: 0x400 }
    const write = (amount: number) => {
      for (const [register, at] of Object.entries(functions)) {
        const lines = Array.from({ length: 40 }, () => `addi ${register}, ${register}, ${amount}`)
        machine.write(CODE + at, assemble(`${lines.join('\n')}\njalr zero, 0(ra)`, CODE + at))
      }
    }
    const loop = (at: number) =>
      `addi a0, zero, 1000\nl${at}: jal ra, ${CODE + at}\naddi a0, a0, -1\nbne a0, zero, l${at}`
    const run = () => {
      machine.set({ a1: 0, a2: 0 })
      expect(machine.run(`${Object.values(functions).map(loop).join('\n')}\necall`, 1e6)).toBe(Exit.ecall)
      return [machine.get('a1'), machine.get('a2')]
    }
    return { machine, write, run }
  }

  it('is not taken for that of a snapshot that is put back', () => {
    const { machine, write, run } = twoOnOnePage()
    write(2)
    const snapshot = takeSnapshot(machine.memory)
    write(1)
    expect(run()).toEqual([40_000n, 40_000n])
    restoreSnapshot(machine.memory, snapshot)
    machine.tlbs.flushAll(0)
    expect(run()).toEqual([80_000n, 80_000n])
  })

  it('is nothing any more when another hart has had all stamps begin anew', () => {
    const { machine, write, run } = twoOnOnePage()
    write(1)
    expect(run()).toEqual([40_000n, 40_000n])
    const { memory, hart, tlbs } = machine
    const code = { exports: {} } as HartCode
    new CodePages({
      memory,
      tlbs,
      code,
      arch: new Riscv64Sv39(),
      hart: hart.index,
      shootdown: undefined,
    }).forgetAll()
    write(2)
    expect(run()).toEqual([80_000n, 80_000n])
    expect(machine.hart.translation!.evictions).toBe(1)
    expect(run()).toEqual([80_000n, 80_000n])
    expect(machine.hart.translation!.evictions).toBe(1)
  })

  it('is thrown away when there are too many modules, and made again', () => {
    const machine = new Caller()
    const evictions = () => machine.hart.translation!.evictions
    for (let amount = 1; amount <= 600 && evictions() === 0; amount++) {
      machine.setFunction(amount)
      machine.call(60)
      expect(machine.get('a1')).toBe(BigInt(60 * amount))
    }
    expect(evictions()).toBe(1)
    const { interpreted } = machine.hart.translation!
    machine.call(10_000)
    expect(machine.hart.translation!.interpreted - interpreted).toBeLessThan(1000)
  })

  it('costs the host nothing once it is thrown away', { timeout: 60_000 }, async () => {
    const machine = new Caller()
    const translateUntilEviction = (times: number) => {
      for (let amount = 1; machine.hart.translation!.evictions < times; amount++) {
        machine.setFunction((amount % 2000) + 1)
        machine.call(60)
      }
    }
    const objects = async () => {
      // What is freed at the end of a module is so in a task of its own.
      for (let i = 0; i < 3; i++) {
        collectGarbage()
        await new Promise(setImmediate)
      }
      return process.memoryUsage().heapUsed
    }
    translateUntilEviction(1)
    const before = await objects()
    translateUntilEviction(4)
    // 14 MB when the table stays the same.
    expect((await objects()) - before).toBeLessThan(5e6)
  })

  it('is thrown away when no stamp is left, and made again', () => {
    const machine = new Caller()
    const stamps = regionPtr(machine.memory, Region.codeStamps) >>> 1
    machine.setFunction(1)
    machine.call(1000)
    // Frame 0 holds the last stamp that was given.
    machine.memory.u16[stamps] = 0xffff - 1024
    for (const amount of [2, 3, 4]) {
      machine.setFunction(amount)
      machine.call(1000)
      expect(machine.get('a1')).toBe(BigInt(1000 * amount))
    }
    expect(machine.hart.translation!.evictions).toBe(1)
    expect(machine.memory.u16[stamps]).toBeLessThan(100)
  })
})
