/** One thread of fault-storm.ts: stores to the pages of a region, gives them back, and again. Rounds are short: on a busy machine some are not interrupted. */
import { workerData } from 'node:worker_threads'
import type { Ptr, Vpn } from '../src/base/numbers.js'
import { Access } from '../src/fault/access.js'
import { Program } from '../src/fault/testing.js'
import { FaultInjector } from '../src/frame/fault-injector.js'
import { mmAttach } from '../src/mm.js'
import { AddressSpace } from '../src/space/address-space.js'
import { MADV_DONTNEED, MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE } from '../src/syscall/mman.js'
import { StartLine, type StormThreadData, Turn } from './fault-storm-turn.js'

const PAGES = 256
const TURNS = 4
const PAGE = 4096

const data = workerData as StormThreadData
const mm = mmAttach(data.memory, { hart: data.hart })
const program = new Program(mm, new AddressSpace(mm.memory, data.space as Ptr), new FaultInjector())
const address = program.mmap(0, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS)
const first = (address / PAGE) as Vpn

new Turn(data.turn).serve(new StartLine(data.start), () => {
  for (let turn = 0; turn < TURNS; turn++) {
    for (let i = 0; i < PAGES; i++) program.touch((first + i) * PAGE, Access.write)
    program.call('madvise', address, PAGES * PAGE, MADV_DONTNEED)
  }
})
