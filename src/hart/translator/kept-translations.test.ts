/** What one machine has translated another one uses, if it has the same code. */
import { describe, expect, it } from 'vitest'
import { EntryFlag } from '../../arch/memory-management-arch.js'
import { PAGE_SIZE } from '../../base/numbers.js'
import type { CodeKeeper } from '../../base/wasm/code-keeper.js'
import { Exit } from '../exit.js'
import { assemble } from '../testing/assembler.js'
import { BareMachine, CODE, DATA } from '../testing/bare-machine.js'
import { packModules, unpackModules } from './kept-modules.js'
import { KeptTranslations } from './kept-translations.js'

const RX = EntryFlag.read | EntryFlag.execute | EntryFlag.user
const THRESHOLD = 20
const FUNCTION = CODE + PAGE_SIZE
/** Too long to be taken into the loop that calls it. */
const LENGTH = 40

/** Calls the function at FUNCTION a0 times, which adds to a1, and stores that to memory. */
const CALLER = `
  loop: jal ra, ${FUNCTION}
  sd a1, 0(a2)
  addi a0, a0, -1
  bne a0, zero, loop
  ecall`

function functionBytes(amount: number): Uint8Array {
  return assemble(
    `${new Array(LENGTH).fill(`addi a1, a1, ${amount}`).join('\n')}\njalr zero, 0(ra)`,
    FUNCTION,
  )
}

class Machine extends BareMachine {
  constructor(packed?: Uint8Array, { keeper, before = 0 }: { keeper?: CodeKeeper; before?: number } = {}) {
    super({ threshold: THRESHOLD, kept: new KeptTranslations(packed, keeper) })
    // The same pages in other frames.
    for (let i = 0; i < before; i++) this.frame()
    this.map(FUNCTION, this.frame(), RX)
    this.setFunction(1)
  }

  setFunction(amount: number): void {
    this.write(FUNCTION, functionBytes(amount))
  }

  /** a1 after so many calls. */
  call(times: number): bigint {
    this.set({ a0: times, a1: 0, a2: DATA })
    expect(this.run(CALLER, 1e7)).toBe(Exit.ecall)
    return this.get('a1')
  }

  get interpreted(): number {
    return this.hart.translation!.interpreted
  }
}

function packedBy(machine: Machine): Uint8Array {
  machine.call(1000)
  return machine.hart.keepTranslations()!
}

describe('translations of an earlier run', () => {
  const first = new Machine()
  const packed = packedBy(first)

  it('are used from the first arrival on, wherever the pages are now', () => {
    const machine = new Machine(packed, { before: 3 })
    expect(machine.call(1000)).toBe(BigInt(1000 * LENGTH))
    const { restored, regions } = machine.hart.translation!
    expect(restored).toBeGreaterThan(1)
    expect(regions).toBe(0)
    expect(machine.interpreted).toBeLessThan(first.interpreted / 5)
    expect(machine.hart.instructions()).toBe(first.hart.instructions())
  })

  it('are not used where there is other code', () => {
    const machine = new Machine(packed)
    machine.setFunction(2)
    expect(machine.call(1000)).toBe(BigInt(2000 * LENGTH))
    expect(machine.hart.translation!.regions).toBeGreaterThan(0)
  })

  it('are left when the code changes later', () => {
    const machine = new Machine(packed)
    expect(machine.call(1000)).toBe(BigInt(1000 * LENGTH))
    machine.setFunction(3)
    expect(machine.call(1000)).toBe(BigInt(3000 * LENGTH))
    machine.setFunction(1)
    expect(machine.call(1000)).toBe(BigInt(1000 * LENGTH))
  })

  it('wait for a page that is not there yet', () => {
    const machine = new Machine(packed)
    const entry = machine.entry(FUNCTION) >>> 2
    const [low, high] = [machine.memory.u32[entry]!, machine.memory.u32[entry + 1]!]
    machine.unmap(FUNCTION)
    machine.set({ a0: 1000, a1: 0, a2: DATA })
    expect(machine.run(CALLER, 1e7)).toBe(Exit.fetchFault)
    machine.setEntry(FUNCTION, low, high)
    expect(machine.hart.run(1e7)).toBe(Exit.ecall)
    expect(machine.get('a1')).toBe(BigInt(1000 * LENGTH))
    expect(machine.hart.translation!.regions).toBe(0)
  })

  it('are kept again only with something new', () => {
    const second = new Machine(packed)
    second.call(1000)
    // The next run translates sooner, so that it is told that there was one.
    const again = second.hart.keepTranslations()!
    expect(unpackModules(again)).toMatchObject({ runs: 2 })
    const third = new Machine(again)
    third.call(1000)
    expect(third.hart.keepTranslations()).toBeUndefined()
    third.setFunction(4)
    third.call(1000)
    const grown = unpackModules(third.hart.keepTranslations()!)
    expect(grown.modules.length).toBeGreaterThan(unpackModules(packed).modules.length)
    expect(grown.places).toBeGreaterThan(unpackModules(packed).places)
  })

  it('of two kinds of code at one address serve each its own', () => {
    const second = new Machine(packed)
    second.setFunction(2)
    const both = packedBy(second)
    for (const amount of [1, 2]) {
      const machine = new Machine(both)
      machine.setFunction(amount)
      expect(machine.call(1000)).toBe(BigInt(amount * 1000 * LENGTH))
      expect(machine.hart.translation!.regions).toBe(0)
    }
  })

  it('are gone from the next ones when their code has been written over', () => {
    const machine = new Machine()
    machine.call(1000)
    machine.setFunction(2)
    const { modules } = unpackModules(machine.hart.keepTranslations() ?? packed)
    const functions = modules.flatMap(({ regions }) => regions.map(({ pc }) => pc))
    expect(functions).not.toContain(FUNCTION)
  })

  it('begin anew when the function table is half full of them', () => {
    const full = packModules({ ...unpackModules(packed), places: 4100 })
    const machine = new Machine(full)
    expect(machine.call(1000)).toBe(BigInt(1000 * LENGTH))
    expect(machine.hart.translation!.regions).toBe(0)
    expect(unpackModules(machine.hart.keepTranslations()!)).toMatchObject({ runs: 0, places: 1, modules: [] })
  })

  it('make room when the function table is full', () => {
    const machine = new Machine(packModules({ ...unpackModules(packed), places: 8190 }))
    machine.call(1000)
    machine.setFunction(2)
    expect(machine.call(1000)).toBe(BigInt(2000 * LENGTH))
    expect(machine.hart.translation!.evictions).toBe(1)
    expect(unpackModules(machine.hart.keepTranslations()!)).toMatchObject({ runs: 0, modules: [] })
  })

  it('are made anew when what they reach of a register lies in two pages', () => {
    const source = `
      loop: ld a2, 0(a0)
      add a1, a1, a2
      sd a1, 16(a0)
      addi a3, a3, -1
      bne a3, zero, loop
      ecall`
    const run = (machine: Machine, address: number) => {
      machine.set({ a0: address, a1: 0, a3: 20_000 })
      machine.memory.u8[machine.place(address)] = 1
      machine.hart.pc = CODE
      expect(machine.hart.run(1e6)).toBe(Exit.ecall)
      expect(machine.get('a1')).toBe(20_000n)
    }
    const machineOf = (packed?: Uint8Array) => {
      const machine = new Machine(packed)
      machine.write(CODE, assemble(source, CODE))
      return machine
    }
    const inOnePage = machineOf()
    run(inOnePage, DATA)
    const machine = machineOf(inOnePage.hart.keepTranslations())
    run(machine, DATA)
    expect(machine.hart.translation).toMatchObject({ regions: 0 })
    run(machine, DATA + PAGE_SIZE - 12)
    expect(machine.hart.translation!.regions).toBeGreaterThan(0)
    const { restored } = machine.hart.translation!
    run(machine, DATA + 3 * PAGE_SIZE - 12)
    expect(machine.hart.translation).toMatchObject({ restored })
  })

  it('are nothing where nothing was translated', () => {
    expect(new Machine().hart.keepTranslations()).toBeUndefined()
    expect(new BareMachine({ threshold: THRESHOLD }).hart.keepTranslations()).toBeUndefined()
  })
})

describe('what the engine has compiled', () => {
  class Keeper implements CodeKeeper {
    restored = 0
    readonly accepts: boolean

    constructor(accepts = true) {
      this.accepts = accepts
    }

    keep(_: WebAssembly.Module, functions: readonly unknown[]): Uint8Array {
      expect(functions.every((each) => typeof each === 'function')).toBe(true)
      return Uint8Array.of(1)
    }

    restore(bytes: Uint8Array, code: Uint8Array): WebAssembly.Module | undefined {
      expect([...code]).toEqual([1])
      if (!this.accepts) return undefined
      this.restored++
      return new WebAssembly.Module(bytes as BufferSource)
    }

    compile(): boolean {
      return true
    }
  }

  const first = new Machine(undefined, { keeper: new Keeper() })
  const packed = packedBy(first)

  it('is given back with its module', () => {
    const keeper = new Keeper()
    const machine = new Machine(packed, { keeper })
    expect(machine.call(1000)).toBe(BigInt(1000 * LENGTH))
    expect(keeper.restored).toBe(unpackModules(packed).modules.length)
  })

  it.each([
    ['another engine', () => new Keeper(false)],
    ['nobody', () => undefined],
  ])('is not needed: %s takes it', (_, keeperOf) => {
    const keeper = keeperOf()
    const machine = new Machine(packed, keeper === undefined ? {} : { keeper })
    expect(machine.call(1000)).toBe(BigInt(1000 * LENGTH))
    expect(machine.hart.translation!.regions).toBe(0)
  })
})
