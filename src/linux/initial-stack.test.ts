import { describe, expect, it } from 'vitest'
import { Random } from '../base/random.js'
import { AT_EXECFN, AT_NULL, AT_RANDOM, buildInitialStack } from './initial-stack.js'

const TOP = 0x40_0000_0000
const SEED = Number(process.env.PAGODA_SEED ?? 7)
const utf8 = new TextEncoder()

/** Reads a stack as a C library's start-up code does. */
function readBack(bytes: Uint8Array, stackPointer: number) {
  const view = new DataView(bytes.buffer)
  const word = (address: number) =>
    view.getUint32(address - stackPointer + 4, true) * 2 ** 32 + view.getUint32(address - stackPointer, true)
  const text = (address: number) => {
    const from = bytes.subarray(address - stackPointer)
    return new TextDecoder().decode(from.subarray(0, from.indexOf(0)))
  }
  let at = stackPointer + 8
  const strings = () => {
    const found: string[] = []
    for (; word(at) !== 0; at += 8) found.push(text(word(at)))
    at += 8
    return found
  }
  const argv = strings()
  const envp = strings()
  const auxiliary = new Map<number, number>()
  for (; word(at) !== AT_NULL; at += 16) auxiliary.set(word(at), word(at + 8))
  const random = [...bytes.subarray(auxiliary.get(AT_RANDOM)! - stackPointer)].slice(0, 16)
  return {
    argc: word(stackPointer),
    argv,
    envp,
    auxiliary,
    random,
    executable: text(auxiliary.get(AT_EXECFN)!),
  }
}

describe('the initial stack', () => {
  it(`says what it was given (seed ${SEED})`, () => {
    const random = new Random(SEED)
    const word = () => 'x'.repeat(random.below(40))
    for (let round = 0; round < 200; round++) {
      const argv = Array.from({ length: random.below(6) }, word)
      const envp = Array.from({ length: random.below(6) }, word)
      const bytes16 = Uint8Array.from({ length: 16 }, () => random.below(256))
      const stack = buildInitialStack(TOP, {
        executable: utf8.encode('/bin/é'),
        arguments: argv.map((text) => utf8.encode(text)),
        environment: envp.map((text) => utf8.encode(text)),
        random: bytes16,
        randomBytes: random.below(4096),
        auxiliary: [
          [9, 0x3f_1234_5678],
          [AT_RANDOM, 0],
          [AT_EXECFN, 0],
          [AT_NULL, 0],
        ],
      })
      expect(stack.stackPointer % 16).toBe(0)
      expect(stack.stackPointer + stack.bytes.length).toBe(TOP)
      const back = readBack(stack.bytes, stack.stackPointer)
      expect(back).toMatchObject({
        argc: argv.length,
        argv,
        envp,
        executable: '/bin/é',
        random: [...bytes16],
      })
      expect(back.auxiliary.get(9)).toBe(0x3f_1234_5678)
    }
  })

  it('has the addresses that Linux 6.12 gave the same strings', () => {
    const stack = buildInitialStack(TOP, {
      executable: utf8.encode('/proc/self/exe'),
      arguments: ['/program', 'a', 'bc'].map((text) => utf8.encode(text)),
      environment: ['HOME=/', 'TERM=linux'].map((text) => utf8.encode(text)),
      random: new Uint8Array(16),
      randomBytes: 0,
      auxiliary: Array.from({ length: 29 }, (_, i) => [i === 28 ? AT_NULL : i + 1, 0] as const),
    })
    expect(stack.stringsStart).toBe(0x3fffffffc9)
    expect(stack.stackPointer).toBe(0x3ffffffda0)
  })
})
