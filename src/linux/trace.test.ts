import { describe, expect, it } from 'vitest'
import { call, li, program, TEXT } from './testing/elf-image.js'
import { bootGuest, startGuest } from './testing/guest.js'
import { flagNames, MAP_NAMES, OPEN_NAMES, PROT_NAMES } from './trace-names.js'

/** Lines of a program's calls, but for its exit. */
function trace(source: string, bss = 0): string[] {
  const lines: string[] = []
  const guest = bootGuest({ trace: (line) => lines.push(line), aslr: false })
  startGuest(guest, program(`${source}\n${call(93, 3)}`, bss))
  guest.linux.runSync()
  expect(lines.pop()).toBe('exit(3) = ?')
  return lines
}

/** The address of text that stands after a jump over it. */
const withText = (text: string, then: string) => {
  const bytes = [...new TextEncoder().encode(text.padEnd(Math.ceil((text.length + 1) / 4) * 4, '\0'))]
  const words: string[] = []
  for (let i = 0; i < bytes.length; i += 4) {
    const word = (bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)) >>> 0
    words.push(`.word ${word}`)
  }
  return `j over\n${words.join('\n')}\nover: ${then}`
}

describe('--trace', () => {
  it('prints calls as strace does: flags, addresses, errors', () => {
    expect(
      trace(`${call(222, 0, 0x1000, 3, 0x22, -1, 0)} ${call(226, 0x10000, 0x1001, 5)} ${call(215, 1, 1)}
        ${call(233, 0, 0x1000, 4)} ${call(129, 2, 0)} ${call(178)}`),
    ).toEqual([
      'mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0x0) = 0x3ff7ffc000',
      'mprotect(0x10000, 4097, PROT_READ|PROT_EXEC) = -1 ENOMEM (Cannot allocate memory)',
      'munmap(0x1, 1) = -1 EINVAL (Invalid argument)',
      'madvise(NULL, 4096, MADV_DONTNEED) = -1 ENOMEM (Cannot allocate memory)',
      'kill(2, 0) = 0',
      'gettid() = 2',
    ])
  })

  it('shows what is written, escaped and cut after 32 bytes', () => {
    const text = 'a"\n\t\u0001' + '2\\'
    const address = TEXT + 4
    expect(trace(withText(text, call(64, 1, address, text.length)))).toEqual([
      'write(1, "a\\"\\n\\t\\0012\\\\", 7) = 7',
    ])
    const long = 'x'.repeat(40)
    expect(trace(withText(long, call(64, 1, address, 40)))).toEqual([
      `write(1, "${'x'.repeat(32)}"..., 40) = 40`,
    ])
    expect(trace(call(64, 1, 0x7000000, 5))).toEqual(['write(1, 0x7000000, 5) = -1 EFAULT (Bad address)'])
  })

  it('names a call that is not there, with its registers', () => {
    expect(trace(`${li('a0', 7)} ${li('a7', 425)} ecall`)[0]).toMatch(
      /^io_uring_setup\(0x7, 0x0, .*\) = -1 ENOSYS \(Function not implemented\)$/,
    )
  })
})

describe('flags', () => {
  it('are written by name, unknown bits in hexadecimal', () => {
    expect(flagNames(PROT_NAMES, 0)).toBe('PROT_NONE')
    expect(flagNames(PROT_NAMES, 7)).toBe('PROT_READ|PROT_WRITE|PROT_EXEC')
    expect(flagNames(PROT_NAMES, 0x10000004)).toBe('PROT_EXEC|0x10000000')
    expect(flagNames(MAP_NAMES, 0x100031)).toBe('MAP_SHARED|MAP_FIXED|MAP_ANONYMOUS|MAP_FIXED_NOREPLACE')
    expect(flagNames(OPEN_NAMES, 0)).toBe('O_RDONLY')
    expect(flagNames(OPEN_NAMES, 0o2001101)).toBe('O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC')
  })
})
