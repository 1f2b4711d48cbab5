import { describe, expect, it } from 'vitest'
import { EntryFlag } from '../arch/memory-management-arch.js'
import { PAGE_SIZE } from '../base/numbers.js'
import { Cause, Exit } from './exit.js'
import { assemble } from './testing/assembler.js'
import { BareMachine, CODE, DATA } from './testing/bare-machine.js'

const PTE = { V: 1, R: 2, W: 4, X: 8, U: 16, G: 32, A: 64, D: 128 } as const
const LOAD = 'ld a1, 0(a0)\necall'
const STORE = 'sd a1, 0(a0)\necall'
const { read, write, user } = EntryFlag

interface Outcome {
  readonly exit: Exit
  readonly cause: number
  /** The address as a signed number. */
  readonly tval: number
}

function outcome(machine: BareMachine, exit: Exit): Outcome {
  const { hart } = machine
  return { exit, cause: hart.cause, tval: (hart.tvalHigh | 0) * 2 ** 32 + hart.tvalLow }
}

/** One access at an address; registers must come out as they went in when it faults. */
function access(machine: BareMachine, source: string, address: number): Outcome {
  machine.set({ a0: address, a1: 77 })
  const exit = machine.run(source)
  if (exit !== Exit.ecall) {
    expect([machine.hart.pc, machine.get('a1')]).toEqual([CODE, 77n])
  }
  return outcome(machine, exit)
}

const loadFault = (tval: number): Outcome => ({ exit: Exit.loadFault, cause: Cause.loadPage, tval })
const storeFault = (tval: number): Outcome => ({ exit: Exit.storeFault, cause: Cause.storePage, tval })

describe.each([false, true])('shared memory: %s', (shared) => {
  const make = (): BareMachine => new BareMachine({ shared })

  it('sets A on a load, and D with the first store only', () => {
    const machine = make()
    expect(machine.pte(DATA) & (PTE.A | PTE.D)).toBe(0)
    expect(access(machine, LOAD, DATA).exit).toBe(Exit.ecall)
    expect(machine.pte(DATA) & (PTE.A | PTE.D)).toBe(PTE.A)
    expect(access(machine, STORE, DATA).exit).toBe(Exit.ecall)
    expect(machine.pte(DATA) & (PTE.A | PTE.D)).toBe(PTE.A | PTE.D)
    machine.tlbs.check()
  })

  it('sets A and D with a store that comes first', () => {
    const machine = make()
    expect(access(machine, STORE, DATA).exit).toBe(Exit.ecall)
    expect(machine.pte(DATA) & (PTE.A | PTE.D)).toBe(PTE.A | PTE.D)
    machine.tlbs.check()
  })

  it('sets A on a fetch', () => {
    const machine = make()
    machine.run('ecall')
    expect(machine.pte(CODE) & (PTE.A | PTE.D)).toBe(PTE.A)
    expect(machine.pte(CODE + PAGE_SIZE) & PTE.A).toBe(0)
  })

  it('faults on what is not mapped, and goes on once it is', () => {
    const machine = make()
    const at = 0x40000000 + 8
    expect(access(machine, LOAD, at)).toEqual(loadFault(at))
    expect(access(machine, STORE, at)).toEqual(storeFault(at))
    machine.map(at, machine.frame(), read | write | user)
    expect(machine.hart.run(10)).toBe(Exit.ecall)
    expect(machine.read(at, 8)).toBe(77n)
  })

  it.each([
    ['no bit at all', 0, true, true],
    ['not valid', PTE.R | PTE.W | PTE.U, true, true],
    ['not the user’s', PTE.V | PTE.R | PTE.W, true, true],
    ['read only', PTE.V | PTE.R | PTE.U, false, true],
    ['execute only', PTE.V | PTE.X | PTE.U, true, true],
    ['write without read', PTE.V | PTE.W | PTE.U, true, true],
    ['write and execute without read', PTE.V | PTE.W | PTE.X | PTE.U, true, true],
    ['read and write', PTE.V | PTE.R | PTE.W | PTE.U, false, false],
    ['a pointer where a leaf must be', PTE.V, true, true],
  ])('%s', (_, flags, loadFaults, storeFaults) => {
    const machine = make()
    const entry = machine.pte(DATA)
    machine.setEntry(DATA, (entry & ~0x3ff) | flags, 0)
    expect(access(machine, LOAD, DATA)).toMatchObject(loadFaults ? loadFault(DATA) : { exit: Exit.ecall })
    expect(access(machine, STORE, DATA)).toMatchObject(storeFaults ? storeFault(DATA) : { exit: Exit.ecall })
  })

  it.each([54, 60, 61, 63])('faults on the reserved bit %i', (bit) => {
    const machine = make()
    machine.setEntry(DATA, machine.pte(DATA), 2 ** (bit - 32))
    expect(access(machine, LOAD, DATA)).toEqual(loadFault(DATA))
  })

  it('keeps to canonical addresses', () => {
    const machine = make()
    for (const address of [2 ** 38, 2 ** 39 + DATA, -(2 ** 38) - 8, 2 ** 40 + DATA, -(2 ** 38)]) {
      expect(access(machine, LOAD, address)).toEqual(loadFault(address))
    }
    machine.hart.pc = 2 ** 39 + CODE
    expect(outcome(machine, machine.hart.run(1))).toEqual({
      exit: Exit.fetchFault,
      cause: Cause.fetchPage,
      tval: 2 ** 39 + CODE,
    })
  })

  it('maps superpages, aligned ones only', () => {
    const machine = make()
    const at = 0x40000000
    const ram = (0x80000 << 10) | PTE.V | PTE.R | PTE.W | PTE.U
    machine.setEntry(at, ram + (512 << 10), 0, 1)
    machine.memory.u32[(2 * 2 ** 20 + 0x3008) >>> 2] = 1234
    expect(access(machine, 'lw a1, 0(a0)\necall', at + 0x3008).exit).toBe(Exit.ecall)
    expect(machine.get('a1')).toBe(1234n)
    expect(access(machine, STORE, at + 0x3008).exit).toBe(Exit.ecall)
    expect(machine.memory.u32[machine.entry(at, 1) >>> 2]! & (PTE.A | PTE.D)).toBe(PTE.A | PTE.D)
    machine.setEntry(at, ram + (513 << 10), 0, 1)
    expect(access(machine, LOAD, at)).toEqual(loadFault(at))
    // A gigabyte page: RAM ends within it, which is an access fault and not a page fault.
    const gigabyte = 0x80000000
    machine.setEntry(gigabyte, ram, 0, 2)
    expect(access(machine, LOAD, gigabyte + 0x3008).exit).toBe(Exit.ecall)
    expect(access(machine, LOAD, gigabyte + machine.memory.bytes)).toEqual({
      exit: Exit.accessFault,
      cause: Cause.loadAccess,
      tval: gigabyte + machine.memory.bytes,
    })
  })

  it('faults on reserved bits of an entry that points to a table', () => {
    const machine = make()
    const pointer = machine.entry(DATA, 1) >>> 2
    for (const bit of [PTE.U, PTE.A, PTE.D]) {
      machine.memory.u32[pointer]! |= bit
      machine.tlbs.flushAll(0)
      machine.hart.pc = CODE
      expect(machine.hart.run(1)).toBe(Exit.fetchFault)
      machine.memory.u32[pointer]! &= ~bit
    }
  })

  it('says when a frame or a table is outside RAM', () => {
    const machine = make()
    const inRam = machine.pte(DATA)
    for (const ppn of [0x80000 + machine.memory.bytes / PAGE_SIZE, 0x7ffff, 0]) {
      machine.setEntry(DATA, ((ppn << 10) | (inRam & 0x3ff)) >>> 0, 0)
      const fault = { exit: Exit.accessFault, tval: DATA }
      expect(access(machine, LOAD, DATA)).toEqual({ ...fault, cause: Cause.loadAccess })
      expect(access(machine, STORE, DATA)).toEqual({ ...fault, cause: Cause.storeAccess })
    }
    machine.setEntry(0x40000000, PTE.V, 0, 1)
    expect(access(machine, LOAD, 0x40000000).exit).toBe(Exit.accessFault)
    machine.setEntry(0x40000000, PTE.V, 2 ** 21, 2)
    expect(access(machine, LOAD, 0x40000000).exit).toBe(Exit.accessFault)
  })

  it('faults on everything without a root', () => {
    const machine = make()
    machine.hart.setRoot(0 as never)
    machine.hart.pc = CODE
    expect(machine.hart.run(1)).toBe(Exit.fetchFault)
  })

  it('loads and stores across pages, at every offset', () => {
    const machine = make()
    for (let offset = 1; offset < 8; offset++) {
      const at = DATA + PAGE_SIZE - offset
      machine.write(at, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8))
      expect(access(machine, LOAD, at).exit).toBe(Exit.ecall)
      expect(machine.get('a1')).toBe(0x0807060504030201n)
      expect(access(machine, 'xori a1, a1, -1\nsd a1, 0(a0)\necall', at).exit).toBe(Exit.ecall)
      expect(machine.read(at, 8)).toBe(0xffff_ffff_ffff_ffb2n)
      machine.write(at, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8))
      access(machine, 'sw a1, 0(a0)\nsh a1, 0(a0)\nlw a1, 0(a0)\necall', at)
      expect(machine.get('a1')).toBe(77n)
      expect(machine.read(at, 8)).toBe(0x0807_0605_0000_004dn)
    }
    expect(machine.pte(DATA + PAGE_SIZE) & PTE.D).toBe(PTE.D)
  })

  it('checks both pages before a byte of a crossing store is written', () => {
    const machine = make()
    const second = DATA + PAGE_SIZE
    machine.unmap(second)
    expect(access(machine, STORE, second - 3)).toEqual(storeFault(second))
    expect(access(machine, LOAD, second - 3)).toEqual(loadFault(second))
    expect(machine.read(second - 8, 8)).toBe(0n)
    machine.map(second, machine.frame(), read | user)
    expect(access(machine, STORE, second - 3)).toEqual(storeFault(second))
    expect(machine.read(second - 8, 8)).toBe(0n)
    machine.unmap(DATA)
    expect(access(machine, STORE, second - 3)).toEqual(storeFault(second - 3))
  })

  it('fetches instructions across pages and reports the part that faults', () => {
    const machine = make()
    const at = CODE + PAGE_SIZE - 2
    expect(machine.run('addi a0, zero, 5\necall', 10, at)).toBe(Exit.ecall)
    expect(machine.get('a0')).toBe(5n)
    expect(machine.run('c.li a0, 6\necall', 10, at)).toBe(Exit.ecall)
    expect(machine.get('a0')).toBe(6n)
    machine.write(at, assemble('addi a0, zero, 5'))
    machine.unmap(CODE + PAGE_SIZE)
    machine.hart.pc = at
    expect(outcome(machine, machine.hart.run(1))).toEqual({
      exit: Exit.fetchFault,
      cause: Cause.fetchPage,
      tval: CODE + PAGE_SIZE,
    })
    expect(machine.hart.pc).toBe(at)
    machine.write(at, assemble('c.li a0, 7'))
    machine.hart.pc = at
    expect(outcome(machine, machine.hart.run(2))).toMatchObject({
      exit: Exit.fetchFault,
      tval: CODE + PAGE_SIZE,
    })
    expect(machine.get('a0')).toBe(7n)
  })

  it('fetches only what is executable', () => {
    const machine = make()
    machine.setEntry(CODE, machine.pte(CODE) & ~PTE.X, 0)
    expect(machine.run('ecall')).toBe(Exit.fetchFault)
  })

  it('sees changed entries after a flush, and forgets with the root', () => {
    const machine = make()
    expect(access(machine, STORE, DATA).exit).toBe(Exit.ecall)
    const other = machine.frame()
    machine.map(DATA, other, read | user)
    expect(access(machine, STORE, DATA)).toEqual(storeFault(DATA))
    expect(access(machine, LOAD, DATA).exit).toBe(Exit.ecall)
    expect(machine.get('a1')).toBe(0n)
    machine.tlbs.check()
  })

  it('runs code that was just written', () => {
    const machine = make()
    const [instruction] = new Uint32Array(assemble('addi a1, zero, 9').buffer)
    machine.set({ a2: instruction! })
    expect(machine.run('auipc a0, 0\nsw a2, 12(a0)\nfence.i\nnop\necall')).toBe(Exit.ecall)
    expect(machine.get('a1')).toBe(9n)
  })

  it('tells pages apart that share a place in the TLB', () => {
    const machine = make()
    const [a, b] = [0x40000000, 0x41000000]
    for (const at of [a, b]) {
      machine.map(at, machine.frame(), read | write | user)
      machine.write(at, Uint8Array.of(at / 2 ** 24))
    }
    machine.set({ a0: a, a1: b })
    machine.run('lbu a2, 0(a0)\nlbu a3, 0(a1)\nlbu a4, 0(a0)\nadd a2, a2, a4\necall')
    expect([machine.get('a2'), machine.get('a3')]).toEqual([0x80n, 0x41n])
    machine.tlbs.check()
  })
})
