/** Damages real programs: fields of headers, cut and moved bytes, noise in code. */
import type { Random } from '../../src/base/random.js'

const HEADER_BYTES = 64
const PROGRAM_HEADER_BYTES = 56
/** Where a change decides something: of a field's width at most. */
const VALUES = [
  0n,
  1n,
  2n,
  3n,
  0xfffn,
  0x1000n,
  0x1001n,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  0x3f_ffff_f000n,
  0x40_0000_0000n,
  1n << 53n,
  1n << 63n,
  (1n << 64n) - 1n,
  (1n << 64n) - 0x1000n,
]

type Mutation = (elf: Buffer, random: Random) => Buffer

/** Writes a telling or a random value over 1, 2, 4 or 8 bytes, or moves what is there a little. */
function changeField(elf: Buffer, offset: number, random: Random): Buffer {
  const at = Math.min(offset, elf.length - 1)
  const width = Math.min(random.pick([1, 2, 4, 8, 8]), elf.length - at)
  const old = BigInt(
    `0x0${Buffer.from(elf.subarray(at, at + width))
      .reverse()
      .toString('hex')}`,
  )
  const value = random.pick<() => bigint>([
    () => random.pick(VALUES),
    () => BigInt(elf.length) + BigInt(random.between(-1, 1)),
    () => old + BigInt(random.between(-4096, 4096)),
    () => old ^ (1n << BigInt(random.below(width * 8))),
    () => (BigInt(random.uint32()) << 32n) | BigInt(random.uint32()),
  ])()
  for (let i = 0, rest = BigInt.asUintN(width * 8, value); i < width; i++, rest >>= 8n) {
    elf[at + i] = Number(rest & 0xffn)
  }
  return elf
}

function programHeader(elf: Buffer, random: Random): number {
  const count = Math.min(elf.readUInt16LE(56), 16)
  return HEADER_BYTES + random.below(Math.max(1, count)) * PROGRAM_HEADER_BYTES
}

function changeHeader(elf: Buffer, random: Random): Buffer {
  return changeField(elf, random.below(HEADER_BYTES / 2) * 2, random)
}

function changeProgramHeader(elf: Buffer, random: Random): Buffer {
  return changeField(elf, programHeader(elf, random) + random.pick([0, 4, 8, 16, 32, 40, 48]), random)
}

function repeatProgramHeader(elf: Buffer, random: Random): Buffer {
  const from = programHeader(elf, random)
  return elf.copyWithin(programHeader(elf, random), from, from + PROGRAM_HEADER_BYTES)
}

function cut(elf: Buffer, random: Random): Buffer {
  return elf.subarray(0, random.below(random.chance(0.5) ? Math.min(1024, elf.length) : elf.length))
}

function addNoise(elf: Buffer, random: Random): Buffer {
  const at = random.below(elf.length)
  const end = Math.min(elf.length, at + random.between(1, 64))
  for (let i = at; i < end; i++) elf[i] = random.uint32() & 0xff
  return elf
}

function moveBytes(elf: Buffer, random: Random): Buffer {
  const from = random.below(elf.length)
  return elf.copyWithin(random.below(elf.length), from, from + random.below(4096))
}

function makePositionIndependent(elf: Buffer): Buffer {
  elf.writeUInt16LE(3, 16)
  return elf
}

const MUTATIONS: readonly Mutation[] = [
  changeHeader,
  changeProgramHeader,
  changeProgramHeader,
  repeatProgramHeader,
  cut,
  addNoise,
  moveBytes,
  makePositionIndependent,
]

/** A copy of a program with one to four mutations. */
export function mutateElf(original: Buffer, random: Random): Buffer {
  let elf: Buffer = Buffer.from(original)
  for (let i = random.pick([1, 1, 1, 2, 3, 4]); i > 0 && elf.length > HEADER_BYTES; i--) {
    elf = random.pick(MUTATIONS)(elf, random)
  }
  return elf
}
