/**
 * fault-storm private|one: page faults on one thread and on two, of one machine. Prints what a fault takes on two threads, wall
 * time, as a multiple of what it takes on one.
 */
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { mmInit } from '../src/mm.js'
import { AddressSpace } from '../src/space/address-space.js'
import { bundleThread } from '../src/state/testing/bundle-thread.js'
import { StartLine, type StormThreadData, Turn } from './fault-storm-turn.js'

const ROUNDS = 1500
const THREADS = 2

const isPrivate = process.argv[2] === 'private'
const bundle = await bundleThread(join(process.cwd(), 'bench/fault-storm-thread.ts'))
const mm = mmInit({ bytes: 64 * 2 ** 20, shared: true, harts: THREADS + 1 })
const spaces = Array.from({ length: THREADS }, (_, i) => (i === 0 || isPrivate ? mm.spaces.create() : 0))
for (const ptr of spaces) if (ptr !== 0) new AddressSpace(mm.memory, ptr).hugePagesDisabled = true

const line = new StartLine()
const turns = Array.from({ length: THREADS }, (_, i) => {
  const turn = new Turn()
  const space = spaces[i]! || spaces[0]!
  const workerData: StormThreadData = {
    memory: mm.memory.raw,
    turn: turn.buffer,
    start: line.buffer,
    space,
    hart: i + 1,
  }
  new Worker(bundle.file, { workerData }).unref()
  return turn
})

/** Milliseconds of a round on the first so many threads, by faults: from the first one's start to the last one's end. */
function time(threads: number): number {
  line.draw(threads)
  const used = turns.slice(0, threads)
  for (const turn of used) turn.start()
  for (const turn of used) turn.waitUntilDone()
  const times = used.map((turn) => turn.times)
  const began = Math.min(...times.map((time) => time.began))
  return (Math.max(...times.map((time) => time.ended)) - began) / threads
}

for (let warm = 0; warm < 300; warm++) time(THREADS)
let [one, two] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
for (let round = 0; round < ROUNDS; round++) {
  one = Math.min(one, time(1))
  two = Math.min(two, time(THREADS))
}
console.log(two / one)
bundle.remove()
process.exit(0)
