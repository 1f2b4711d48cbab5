/** What the tests of slab/ share: frames and slabs, with two harts. */
import { attachFrames, bootFrames, type FrameMachine, type FrameMachineOptions } from '../frame/testing.js'
import { AtomicWords } from '../state/atomics.js'
import { Memory } from '../state/memory.js'
import { SlabAllocator } from './slab-allocator.js'

export interface SlabMachine extends FrameMachine {
  readonly slab: SlabAllocator
  /** The slab allocator as another thread sees it, without debug. */
  attach(): SlabAllocator
}

export interface SlabMachineOptions extends FrameMachineOptions {
  /** Nothing fails on purpose, nobody watches: hot paths need no lock. */
  readonly plain?: boolean
}

export function bootSlab({ plain = false, ...options }: SlabMachineOptions = {}): SlabMachine {
  const machine = bootFrames(options)
  const { memory, bump, frames, buddy, faults } = machine
  const atomics = plain ? new AtomicWords(memory, { owner: 1 }) : machine.atomics
  const slabOptions = { faults: plain ? undefined : faults, debug: options.debug, harts: 2 }
  const slab = SlabAllocator.boot(memory, atomics, bump, frames, buddy, slabOptions)
  const attach = () => {
    const attached = attachFrames(machine)
    const view = Memory.attach(memory.raw)
    const words = new AtomicWords(view, { owner: 2 })
    return SlabAllocator.attach(view, words, attached.frames, attached.buddy, { hart: 1 })
  }
  return { ...machine, slab, attach }
}
