/** A thread with a real hart: each message makes it run a guest's code until that faults, and answer how. */
import { parentPort, workerData } from 'node:worker_threads'
import type { Pfn } from '../../src/base/numbers.js'
import { Exit } from '../../src/hart/exit.js'
import { Hart } from '../../src/hart/hart.js'
import { mmAttach } from '../../src/mm.js'

export interface GuestThreadData {
  readonly memory: WebAssembly.Memory
  readonly hart: number
  readonly threshold: number
}

/** Where to begin, and a1. */
export interface GuestRequest {
  readonly root: number
  readonly pc: number
  readonly address: number
}

/** a2 is what the guest has seen, a3 how many turns it made. */
export interface GuestAnswer {
  readonly exit: number
  readonly tval: number
  readonly a2: number
  readonly turns: number
}

/** A guest that notices nothing is stopped: then it has missed what it should have seen. */
const RUNS_MAX = 1000

const { memory, hart: index, threshold } = workerData as GuestThreadData
const mm = mmAttach(memory, { hart: index, debug: true })
const hart = Hart.create(mm, index, { threshold })

parentPort!.on('message', ({ root, pc, address }: GuestRequest) => {
  hart.setRoot(root as Pfn)
  hart.pc = pc
  hart.setX(11, address)
  hart.setX(12, 0)
  hart.setX(13, 0)
  let exit: number = Exit.budget
  for (let runs = 0; exit === Exit.budget && runs < RUNS_MAX; runs++) exit = hart.run(1_000_000)
  const answer: GuestAnswer = { exit, tval: hart.tvalLow, a2: hart.x(12), turns: hart.x(13) }
  parentPort!.postMessage(answer)
})
parentPort!.postMessage('ready')
