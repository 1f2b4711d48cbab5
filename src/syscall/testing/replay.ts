/** Pagoda's answer to the cases: what calls.c prints on Linux. */
import { ErrnoError } from '../../base/errno.js'
import { Access } from '../../fault/access.js'
import { openFile, Program } from '../../fault/testing.js'
import { mapsText } from '../../space/maps.js'
import { ObjectKind } from '../../space/page-object.js'
import { BASE, cases, WINDOW_PAGES } from './cases.js'

const PAGE = 4096
const base = Number(BASE)
const end = base + Number(WINDOW_PAGES) * PAGE
const ANON = 0x22
const FIXED = 0x10

function boot(): Program {
  const program = Program.boot(16)
  const { objects } = program.mm
  const file = objects.create(ObjectKind.tmpfs, PAGE + 100)
  program.files.set(10, openFile(file, { identity: 10 }))
  program.files.set(11, openFile(file, { identity: 11, writable: false }))
  program.files.set(12, openFile(file, { identity: 12, readable: false }))
  program.files.set(13, openFile(file, { writable: false, mappable: false }))
  program.files.set(14, openFile(file, { writable: false, mappable: false }))
  return program
}

function layout(program: Program): void {
  const map = (page: number, pages: number, prot: number, flags: number, fd = -1) => {
    const address = program.mmap(base + page * PAGE, pages * PAGE, prot, flags | FIXED, fd)
    if (address < 0) throw new ErrnoError('layout', address)
  }
  map(0, 4, 3, ANON)
  program.touch(base, Access.write)
  program.touch(base + PAGE, Access.write)
  map(5, 1, 1, ANON)
  map(6, 2, 3, 0x21)
  map(8, 2, 3, 0x01, 10)
  map(10, 1, 1, 0x01, 11)
  map(11, 1, 0, ANON)
  map(12, 2, 5, 0x02, 10)
  map(40, 1, 3, ANON | 0x100)
}

/** The window's mappings, as calls.c hashes them. */
export function windowText(program: Program): string {
  const maps = mapsText(program.mm, program.space, () => ({ device: '00:01', inode: 1, path: '' }))
  const lines = maps.split('\n').flatMap((line) => {
    const match = /^(\w+)-(\w+) (\S+) (\w+)/.exec(line)
    if (match === null) return []
    const [start, stop] = [Number.parseInt(match[1]!, 16), Number.parseInt(match[2]!, 16)]
    if (start < base || start >= end) return []
    const hex = (address: number) => ((address - base) / PAGE).toString(16)
    return [`${hex(start)}-${hex(stop)} ${match[3]} ${Number.parseInt(match[4]!, 16).toString(16)}\n`]
  })
  return lines.join('')
}

function hash(text: string): string {
  let h = 2166136261
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 16777619)
  return (h >>> 0).toString(16).padStart(8, '0')
}

function show(result: number): string {
  if (result < 0) return String(result)
  if (result >= base && result < end) return `@${((result - base) / PAGE).toString(16)}`
  return result === 0 ? '0' : 'elsewhere'
}

/** One line for each case; `visit` sees the program after each. */
export function replay(
  seed: number,
  count: number,
  visit: (line: string, index: number, call: string, program: Program) => void,
): void {
  const program = boot()
  let index = 0
  for (const { name, args } of cases(seed, count)) {
    const process = program.spawn()
    layout(process)
    const result =
      name === 'mmap'
        ? process.mmap(args[0]!, args[1]!, args[2]!, args[3]!, Number(args[4]!), args[5]!)
        : process.call(name as Parameters<Program['call']>[0], ...args)
    const call = `${name}(${args.map((arg) => arg.toString(16)).join(', ')})`
    visit(`${show(result)} ${hash(windowText(process))}`, index++, call, process)
    process.exit()
  }
  program.mm.check()
}
