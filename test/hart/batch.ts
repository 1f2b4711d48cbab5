/** A batch of sequences as one program, and the comparison of what two machines made of it. */
import { Random } from '../../src/base/random.js'
import {
  buildRunner,
  buildSegments,
  codeAddress,
  RECORD_ADDRESS,
  RECORD_FCSR,
  RECORD_HASH,
  RECORD_PC,
  RECORD_WORDS,
  SCRATCH_BYTES,
  type Segment,
} from './image.js'
import { makeSequence, type Sequence, sampleInteger } from './sequence.js'

export interface Batch {
  readonly segments: readonly Segment[]
  readonly entry: number
  readonly sequences: readonly Sequence[]
  readonly outputBytes: number
}

/** The sequences of `seeds`. */
export function makeBatch(seeds: readonly number[]): Batch {
  const runner = buildRunner()
  let address = codeAddress(runner)
  const sequences = seeds.map((seed) => {
    const sequence = makeSequence(seed, address, runner.epilogues)
    address += sequence.code.length * 2
    return sequence
  })
  const records = new BigUint64Array(seeds.length * RECORD_WORDS)
  sequences.forEach(({ record }, i) => {
    records.set(record, i * RECORD_WORDS)
  })
  const code = Uint16Array.from(sequences.flatMap((sequence) => sequence.code))
  const segments = buildSegments(runner, code, records, makePattern())
  return { segments, entry: runner.entry, sequences, outputBytes: records.byteLength }
}

/** Memory contents that make interesting operands when they are loaded. */
function makePattern(): Uint8Array {
  const random = new Random(0x5eed)
  return new Uint8Array(
    BigUint64Array.from({ length: SCRATCH_BYTES / 8 }, () => sampleInteger(random)).buffer,
  )
}

export interface Difference {
  readonly sequence: number
  readonly text: string
}

/** The sequences that ended differently, each with the words that differ. */
export function compare(batch: Batch, expected: Uint8Array, actual: Uint8Array): Difference[] {
  const [theirs, ours] = [expected, actual].map((bytes) => new BigUint64Array(bytes.slice().buffer))
  const differences: Difference[] = []
  batch.sequences.forEach((_, sequence) => {
    const lines: string[] = []
    for (let word = 0; word < RECORD_WORDS; word++) {
      const [a, b] = [theirs![sequence * RECORD_WORDS + word]!, ours![sequence * RECORD_WORDS + word]!]
      if (a !== b) lines.push(`${wordName(word)}: qemu ${hex(a)}, ours ${hex(b)}`)
    }
    if (lines.length > 0) differences.push({ sequence, text: lines.join('\n') })
  })
  return differences
}

/** A sequence as text: registers that it starts from, and its instructions in hexadecimal. */
export function describe({ code, record }: Sequence): string {
  const registers = Array.from(record, (value, word) => `${wordName(word)}=${hex(value)}`)
  const address = record[0]! & ~1n
  const lines: string[] = []
  for (let i = 0; i < code.length; i++) {
    const at = (address + BigInt(i * 2)).toString(16)
    const isLong = (code[i]! & 3) === 3
    const word = isLong ? ((code[i + 1]! << 16) | code[i]!) >>> 0 : code[i]!
    lines.push(`${at}: ${word.toString(16).padStart(isLong ? 8 : 4, '0')}`)
    if (isLong) i++
  }
  return `${registers.join(' ')}\n${lines.join('\n')}`
}

function wordName(word: number): string {
  if (word === 0) return 'signal'
  if (word < 32) return `x${word}`
  if (word < 64) return `f${word - 32}`
  const names = new Map([
    [RECORD_FCSR, 'fcsr'],
    [RECORD_PC, 'pc of signal'],
    [RECORD_HASH, 'memory hash'],
    [RECORD_ADDRESS, 'address of signal'],
  ])
  return names.get(word) ?? `word ${word}`
}

function hex(value: bigint): string {
  return value.toString(16).padStart(16, '0')
}
