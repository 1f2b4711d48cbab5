/** The operations of vmaoracle.c about SysV segments. */
import { pagesFor } from '../../../src/base/numbers.js'
import { bits, flags } from './letters.js'
import { errno, type Operation, PAGE } from './operation.js'

const SHM = bits('remn', [0o10000, 0o100000, 0o40000, 0o20000])

/** `shmget K BYTES`: a new segment in place of the old one. */
export function shmget(o: Operation): string {
  const { own, machine } = o.process
  const k = o.num(1)
  own.remove(k)
  const id = machine.segments.get(o.process, o.num(2))
  if (id >= 0) own.made(k, id)
  return errno(Math.min(id, 0))
}

/** `shmat K PAGE|- FLAGS [BYTE]`. */
export function shmat(o: Operation): string {
  const { own, machine } = o.process
  const id = own.id(o.num(1))
  const info = id < 0 ? id : machine.segments.look(o.process, id)
  const pages = typeof info === 'number' ? 1 : pagesFor(info.bytes)
  const chosen = o.word(2) === '-'
  if (!chosen) o.touch(o.num(2), pages)
  const address = chosen ? 0 : o.at(2) + (o.has(4) ? o.num(4) : 0)
  const result = machine.segments.attach(o.process, id, address, flags(o.word(3), SHM))
  return o.place(result, pages * PAGE, (at) => machine.segments.detach(o.process, at))
}

/** `shmdt PAGE`. */
export function shmdt(o: Operation): string {
  o.touch(o.num(1), 1)
  return errno(o.process.machine.segments.detach(o.process, o.at(1)))
}

/** `shmrm K`: its number stays known. */
export function shmrm(o: Operation): string {
  return errno(o.process.own.remove(o.num(1), true))
}

/** `shmstat K`. */
export function shmstat(o: Operation): string {
  const info = o.process.machine.segments.look(o.process, o.process.own.id(o.num(1)))
  if (typeof info === 'number') return errno(info)
  return `${info.attaches} ${info.bytes}${info.isRemoved ? ' removed' : ''}`
}
