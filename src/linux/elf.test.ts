import { describe, expect, it } from 'vitest'
import { EIO, ELIBBAD, ENOEXEC } from '../base/errno.js'
import { Random } from '../base/random.js'
import {
  type ElfProblem,
  type ElfProgram,
  type ElfSource,
  isProblem,
  readElf,
  readInterpreter,
} from './elf.js'
import { readElfHeader } from './elf-header.js'
import { readElfSymbols } from './elf-symbols.js'
import { call, elfImage, program, TEXT } from './testing/elf-image.js'

const SEED = Number(process.env.PAGODA_SEED ?? 1)
const STEPS = Number(process.env.PAGODA_FUZZ_STEPS ?? 10_000)

function source(bytes: Uint8Array): ElfSource {
  return {
    size: bytes.length,
    read(offset, target) {
      const part = bytes.subarray(offset, offset + target.length)
      target.set(part)
      return part.length
    },
  }
}

const hello = program(call(93, 0), 5000)
const code = (length: number) => new Uint8Array(length).fill(1)

function problemOf(bytes: Uint8Array): string {
  const result = readElf(source(bytes))
  return isProblem(result) ? result.problem : 'none'
}

function changed(change: (view: DataView) => void): Uint8Array {
  const copy = hello.slice()
  change(new DataView(copy.buffer))
  return copy
}

describe('a good program', () => {
  it('is read as it was written', () => {
    const elf = readElf(source(hello)) as ElfProgram
    expect(elf).toMatchObject({ entry: TEXT, positionIndependent: false, executableStack: false })
    expect(elf.segments).toHaveLength(1)
    expect(elf.segments[0]!.memoryBytes - elf.segments[0]!.fileBytes).toBe(5000)
  })

  it('may have segments that share a page, as linkers make them', () => {
    const segments = [
      { address: TEXT, bytes: code(0x1234) },
      { address: TEXT + 0x1238, bytes: code(64) },
    ]
    expect(problemOf(elfImage({ segments }))).toBe('none')
  })

  it('has its program headers where the segment that holds them says', () => {
    const image = elfImage({ segments: [{ address: TEXT + 0x78, bytes: code(64) }] })
    const view = new DataView(image.buffer)
    view.setUint32(64 + 8, 0, true)
    view.setUint32(64 + 16, TEXT, true)
    view.setUint32(64 + 32, image.length, true)
    view.setUint32(64 + 40, image.length, true)
    expect((readElf(source(image)) as ElfProgram).programHeaderAddress).toBe(TEXT + 64)
  })
})

/** A program that names an interpreter; `high`: bits 32 and up of where its name is said to stand. */
function dynamic(interpreter: string, high = 0): Uint8Array {
  const segments = [
    { address: TEXT, bytes: code(64) },
    { address: TEXT + 0x100, bytes: new TextEncoder().encode(interpreter), type: 3 },
  ]
  const image = elfImage({ segments })
  new DataView(image.buffer).setUint32(64 + 56 + 12, high, true)
  return image
}

describe('a program with an interpreter', () => {
  it('says which', () => {
    expect((readElf(source(dynamic('/lib/ld.so\0'))) as ElfProgram).interpreter).toBe('/lib/ld.so')
    expect((readElf(source(dynamic('/lib/ld.so\0rest\0'))) as ElfProgram).interpreter).toBe('/lib/ld.so')
    expect((readElf(source(hello)) as ElfProgram).interpreter).toBeUndefined()
  })

  it('may begin anywhere: that is for the interpreter to know', () => {
    const image = dynamic('/lib/ld.so\0')
    new DataView(image.buffer).setUint32(24, 1, true)
    expect(problemOf(image)).toBe('none')
  })

  it('cannot be one itself', () => {
    expect((readInterpreter(source(dynamic('/lib/ld.so\0'))) as ElfProgram).interpreter).toBeUndefined()
  })
})

describe('when Linux finds out', () => {
  const answer = (bytes: Uint8Array, read = readElf) => {
    const { errno, late } = read(source(bytes)) as ElfProblem
    return late === true ? 'SIGSEGV' : (errno ?? -ENOEXEC)
  }
  const x86 = changed((v) => v.setUint16(18, 62, true))
  const object = changed((v) => v.setUint16(16, 1, true))
  const empty = changed((v) => v.setUint32(64, 4, true))

  it('of a program: before the old one is gone, or after', () => {
    expect([x86, object, empty].map((image) => answer(image))).toEqual([-ENOEXEC, -ENOEXEC, 'SIGSEGV'])
  })

  it('of an interpreter', () => {
    const answers = [x86, object, empty, hello.slice(0, 63)].map((image) => answer(image, readInterpreter))
    expect(answers).toEqual([-ELIBBAD, 'SIGSEGV', 'SIGSEGV', -EIO])
  })
})

describe('a bad file is refused with its reason', () => {
  const wide = (address: number) => elfImage({ segments: [{ address, bytes: code(64) }] })
  const overlapping = elfImage({
    segments: [
      { address: TEXT, bytes: code(64), memoryBytes: 8192 },
      { address: TEXT + 0x1000, bytes: code(64) },
    ],
  })
  const notRunnable = elfImage({ segments: [{ address: TEXT, bytes: code(64), flags: 6 }] })
  const cases: readonly (readonly [name: string, image: Uint8Array, reason: RegExp])[] = [
    ['empty', new Uint8Array(), /^empty file, not a program$/],
    ['text', new TextEncoder().encode('hello'), /^not an ELF file$/],
    ['one byte', Uint8Array.of(0x7f), /^not an ELF file$/],
    ['script', new TextEncoder().encode('#!/bin/sh\n'), /script/],
    ['32-bit', changed((v) => v.setUint8(4, 1)), /32-bit/],
    ['big-endian', changed((v) => v.setUint8(5, 2)), /big-endian/],
    ['x86-64', changed((v) => v.setUint16(18, 62, true)), /built for x86-64.*riscv64-linux-gnu-gcc/],
    ['unheard of', changed((v) => v.setUint16(18, 999, true)), /machine 999/],
    ['RV64E', changed((v) => v.setUint32(48, 8, true)), /RV64E/],
    ['object file', changed((v) => v.setUint16(16, 1, true)), /not been linked/],
    ['core dump', changed((v) => v.setUint16(16, 4, true)), /core dump/],
    ['no headers', changed((v) => v.setUint16(56, 0, true)), /without program headers/],
    ['header size', changed((v) => v.setUint16(54, 32, true)), /program headers of 32 bytes/],
    ['table outside', changed((v) => v.setUint32(36, 1, true)), /cut short/],
    ['nothing to load', changed((v) => v.setUint32(64, 4, true)), /without segments/],
    ['file above memory', changed((v) => v.setUint32(64 + 40, 1, true)), /more bytes in the file/],
    ['odd offset', changed((v) => v.setUint32(64 + 8, 4097, true)), /differ within the page|cut short/],
    ['null page', wide(0x10), /null page/],
    ['above user space', wide(0x40_0000_0000 - 32), /ends above/],
    ['huge', changed((v) => v.setUint32(64 + 44, 0x8000_0000, true)), /ends above/],
    ['overlap', overlapping, /overlap/],
    ['entry nowhere', changed((v) => v.setUint32(24, 0x5000_0000, true)), /in no segment/],
    ['entry odd', changed((v) => v.setUint32(24, TEXT + 1, true)), /odd/],
    ['entry not executable', notRunnable, /not executable/],
    [
      'shared library',
      elfImage({ type: 3, entry: 0, segments: [{ address: 0x1000, bytes: code(8) }] }),
      /library/,
    ],
    ['interpreter too short', dynamic('\0'), /path of its interpreter has 1 bytes/],
    ['interpreter too long', dynamic(`${'x'.repeat(4096)}\0`), /path of its interpreter has 4097 bytes/],
    ['interpreter without end', dynamic('/lib/ld.so'), /path of its interpreter does not end/],
    ['interpreter elsewhere', dynamic('/lib/ld.so\0', 1), /path of its interpreter is missing/],
  ]
  it.each(cases)('%s', (_name, image, reason) => {
    expect(problemOf(image)).toMatch(reason)
    expect(problemOf(image)).not.toMatch(/\n/)
  })

  it('wherever it was cut short', () => {
    for (let length = 0; length < hello.length; length++) {
      expect(problemOf(hello.subarray(0, length))).not.toBe('none')
    }
  })
})

describe('any bytes at all', () => {
  it(`give a program or a line, mutated ${STEPS} times (seed ${SEED})`, () => {
    const random = new Random(SEED)
    let good = 0
    for (let step = 0; step < STEPS; step++) {
      const image = hello.slice(0, random.chance(0.1) ? random.below(hello.length) : hello.length)
      const changes = random.between(1, 8)
      for (let i = 0; i < changes && image.length > 0; i++) {
        const place = random.chance(0.8)
          ? random.below(Math.min(image.length, 128))
          : random.below(image.length)
        image[place] = random.chance(0.3) ? random.pick([0, 1, 0x7f, 0x80, 0xff]) : random.below(256)
      }
      const result = readElf(source(image))
      if (isProblem(result)) expect(result.problem, `seed ${SEED} step ${step}`).toMatch(/^[^\n]+$/)
      else good++
      const header = readElfHeader(source(image))
      if (!isProblem(header)) readElfSymbols(source(image), header)
    }
    expect(good).toBeGreaterThan(0)
    expect(good).toBeLessThan(STEPS)
  })
})
