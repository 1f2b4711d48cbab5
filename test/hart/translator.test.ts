/**
 * The same random programs, with loops, interpreted and translated, cut into runs of random lengths: after each run the two
 * machines are the same to the last register.
 *
 *     PAGODA_SEQUENCES=5000 PAGODA_SEED=7 npx vitest run test/hart/translator.test.ts
 */
import { expect, test } from 'vitest'
import { EntryFlag } from '../../src/arch/memory-management-arch.js'
import { Random } from '../../src/base/random.js'
import { Exit } from '../../src/hart/exit.js'
import { HART_CONTEXT_BYTES, HartField } from '../../src/hart/hart-state.js'
import { BareMachine, CODE, DATA } from '../../src/hart/testing/bare-machine.js'
import { KeptTranslations } from '../../src/hart/translator/kept-translations.js'
import { type LoopProgram, makeLoopProgram } from './loops.js'

const PROGRAMS = Number(process.env.PAGODA_SEQUENCES ?? (process.env.PAGODA_FULL ? 20_000 : 40))
const SEED = Number(process.env.PAGODA_SEED ?? 1)
const PAGES = 16
/** Instructions of one program, at most. */
const INSTRUCTIONS_MAX = 20_000

const noise = new Random(SEED)
const DATA_BYTES = Uint8Array.from({ length: PAGES * 4096 }, () => noise.below(256))

const VALID = 1
const USABLE = VALID | EntryFlag.read | EntryFlag.write | EntryFlag.execute | EntryFlag.user
/** What the kernel makes of a page now and then: as good as new, read only, not there. */
const PAGE_STATES = [USABLE, USABLE, USABLE & ~EntryFlag.write, USABLE & ~VALID]

function setFlags(machine: BareMachine, page: number, flags: number): void {
  const low = machine.pte(DATA + page * 4096)
  const high = machine.memory.u32[(machine.entry(DATA + page * 4096) >>> 2) + 1]!
  machine.setEntry(DATA + page * 4096, (low & ~0xff) | flags, high)
}

/** Between two runs: the TLB forgets, and often a page of data becomes another. */
function disturb(random: Random, machines: readonly BareMachine[]): void {
  const [page, flags] = [random.below(PAGES), random.pick(PAGE_STATES)]
  const changes = random.chance(0.6)
  for (const machine of machines) {
    if (changes) setFlags(machine, page, flags)
    else machine.tlbs.flushAll(0)
  }
}

function load(machine: BareMachine, { code, registers, entry }: LoopProgram): void {
  const { memory, hart } = machine
  for (let page = 0; page < PAGES; page++) {
    const place = machine.place(CODE + page * 4096)
    machine.write(CODE + page * 4096, new Uint8Array(1))
    setFlags(machine, page, USABLE)
    memory.u8.fill(0, place, place + 4096)
    memory.u8.set(DATA_BYTES.subarray(page * 4096, (page + 1) * 4096), machine.place(DATA + page * 4096))
  }
  machine.write(CODE, code)
  const words = new Uint32Array(registers.buffer)
  memory.u32.fill(0, hart.ptr >>> 2, (hart.ptr + HART_CONTEXT_BYTES) >>> 2)
  memory.u32.set(words.subarray(0, 128), hart.ptr >>> 2)
  memory.u32[(hart.ptr + HartField.fcsr) >>> 2] = words[128]!
  hart.setNumber(HartField.instret, 0)
  hart.pc = entry
}

/** Registers, pc, fcsr, reservation, counters, and why it stopped. */
function stateOf({ memory, hart }: BareMachine): Uint32Array {
  return memory.u32.slice(hart.ptr >>> 2, (hart.ptr + HartField.bounce) >>> 2)
}

function isSame(a: Uint32Array, b: Uint32Array): boolean {
  return a.every((word, i) => word === b[i])
}

function hasSameMemory(a: BareMachine, b: BareMachine): boolean {
  for (let page = 0; page < PAGES; page++) {
    for (const start of [CODE, DATA]) {
      const [first, second] = [a, b].map((machine) => {
        const place = machine.place(start + page * 4096) >>> 2
        return machine.memory.u32.subarray(place, place + 1024)
      })
      if (!isSame(first!, second!)) return false
      if (a.pte(start + page * 4096) !== b.pte(start + page * 4096)) return false
    }
  }
  return true
}

/** What a handler might do: go on behind the instruction. */
function skip(machine: BareMachine): void {
  const { hart, memory } = machine
  const word = memory.u16[machine.place(hart.pc) >>> 1]!
  hart.pc += (word & 3) === 3 ? 4 : 2
}

function compare(seed: number, machines: readonly BareMachine[]): void {
  const program = makeLoopProgram(seed)
  const random = new Random(seed)
  for (const machine of machines) load(machine, program)
  const [interpreted, translated] = machines
  for (let done = 0; done < INSTRUCTIONS_MAX; ) {
    const budget = random.chance(0.2) ? random.between(1, 20) : random.between(1, 3000)
    done += budget
    const exits = machines.map((machine) => machine.hart.run(budget))
    const same = exits[0] === exits[1] && isSame(stateOf(interpreted!), stateOf(translated!))
    if (!same || (random.chance(0.1) && !hasSameMemory(interpreted!, translated!))) {
      const [a, b] = machines.map((machine) => [...stateOf(machine)].map((word) => word.toString(16)))
      const words = a!.flatMap((word, i) => (word === b![i] ? [] : [`${i * 4}: ${word} ${b![i]}`]))
      expect.fail(`seed ${seed}: exits ${exits}, differ at bytes ${words.join(', ')}`)
    }
    if (exits[0] === Exit.ecall || exits[0] === Exit.fetchFault) break
    if (exits[0] !== Exit.budget) for (const machine of machines) skip(machine)
    if (random.chance(0.2)) disturb(random, machines)
  }
  expect(hasSameMemory(interpreted!, translated!), `seed ${seed}: memory`).toBe(true)
}

/** Programs after which V8 may free what it has no use for: in a loop that never waits it cannot. */
const PROGRAMS_AT_A_TIME = 50

async function compareAll(machines: readonly BareMachine[]): Promise<void> {
  for (let i = 0; i < PROGRAMS; i++) {
    compare(SEED * 1_000_003 + i, machines)
    if (i % PROGRAMS_AT_A_TIME === 0) await new Promise(setImmediate)
  }
}

/** Each takes machines of its own. */
const KEPT_PROGRAMS = Math.ceil(PROGRAMS / 4)
/** Programs whose translations are kept together: they have code at the same addresses. */
const KEPT_TOGETHER = 10

/** More programs where more arrivals are needed: few come to a place twenty times, and the bound should hold with every seed. */
test.each([1, 7, 20].map((threshold) => [Math.max(KEPT_PROGRAMS, 2 * threshold), threshold]))(
  '%i programs with loops: interpreted, and translated after %i arrivals by an earlier run',
  async (programs, threshold) => {
    let packed: Uint8Array | undefined
    let restored = 0
    for (let i = 0; i < programs; i++) {
      if (i % KEPT_TOGETHER === 0) packed = undefined
      // First what others have left, then what it has left itself.
      for (let run = 0; run < 2; run++) {
        const machine = new BareMachine({ threshold, kept: new KeptTranslations(packed) })
        compare(SEED * 1_000_003 + i, [new BareMachine(), machine])
        packed = machine.hart.keepTranslations() ?? packed
        restored += machine.hart.translation!.restored
        await new Promise(setImmediate)
      }
    }
    expect(restored).toBeGreaterThan(KEPT_PROGRAMS / 5)
  },
  Math.max(60_000, KEPT_PROGRAMS * 2000),
)

test.each([
  [1, false],
  [1, true],
  [7, false],
  [20, true],
])(
  `${PROGRAMS} programs with loops: interpreted, and translated after %i arrivals, shared memory: %s`,
  async (threshold, shared) => {
    const machines = [0, threshold].map((each) => new BareMachine({ shared, threshold: each }))
    await compareAll(machines)
    expect(machines[1]!.hart.translation!.regions).toBeGreaterThan(PROGRAMS / 5)
  },
  Math.max(60_000, PROGRAMS * 500),
)
