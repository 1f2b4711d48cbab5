import { afterEach, describe, expect, it, vi } from 'vitest'
import { Exit } from './exit.js'
import { KeptParts } from './hart-parts.js'
import { BareMachine } from './testing/bare-machine.js'

const ADD = 'addi a0, a0, 1\necall'

afterEach(() => vi.restoreAllMocks())

describe('parts that machines share', () => {
  it('are made once, and each machine has its own state', () => {
    const parts = new KeptParts()
    const machines = [new BareMachine({ parts })]
    const compile = vi.spyOn(WebAssembly, 'Module')
    machines.push(new BareMachine({ parts }), new BareMachine({ parts }))
    // Each memory has a small module of its own that fills and copies.
    const compiled = compile.mock.calls.map(([bytes]) => (bytes as Uint8Array).length)
    expect(Math.max(...compiled)).toBeLessThan(1000)
    machines.forEach((machine, i) => {
      machine.set({ a0: 10 * i })
      expect(machine.run(ADD, 100)).toBe(Exit.ecall)
    })
    expect(machines.map((machine) => machine.get('a0'))).toEqual([1n, 11n, 21n])
  })

  it('are made for each layout', () => {
    const parts = new KeptParts()
    const [small, large] = [8, 16].map((mebibytes) => new BareMachine({ parts, bytes: mebibytes * 2 ** 20 }))
    for (const machine of [small!, large!]) {
      machine.set({ a0: 1 })
      expect(machine.run(ADD, 100)).toBe(Exit.ecall)
      expect(machine.get('a0')).toBe(2n)
    }
  })

  it('go to another process as bytes', () => {
    const parts = new KeptParts()
    new BareMachine({ parts })
    expect(parts.isWhole).toBe(false)
    const again = new KeptParts(parts.bytes())
    const machine = new BareMachine({ parts: again })
    machine.set({ a0: 4 })
    expect(machine.run(ADD, 100)).toBe(Exit.ecall)
    expect(machine.get('a0')).toBe(5n)
  })
})
