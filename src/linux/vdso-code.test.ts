import { expect, it } from 'vitest'
import { assemble } from '../hart/testing/assembler.js'
import { VDSO_CODE, VDSO_FUNCTIONS } from './vdso-code.js'

const call = (number: number) => `li a7, ${number}\n ecall\n ret`

/** t1: the clock's record; t2: nanoseconds of a tick. To t6 seconds, t4 nanoseconds. */
const TIME = `
  ld t3, 8(t1)
  csrrs t4, 0xc01, zero
  mul t4, t4, t2
  ld t5, 24(t1)
  add t4, t4, t5
  lui t5, 0x3b9ad
  addiw t5, t5, -1536
  divu t6, t4, t5
  remu t4, t4, t5
  add t6, t6, t3`

/** TABLE is what leads from `table`, less two pages, to the start of [vvar]. */
const SOURCES: Readonly<Record<string, string>> = {
  __vdso_rt_sigreturn: `
    li a7, 139
    ecall`,
  __vdso_clock_gettime: `
    li t0, 12
    bgeu a0, t0, kernel
    slli t1, a0, 5
    table: auipc t2, -2
    add t1, t1, t2
    addi t1, t1, TABLE
    ld t2, 0(t1)
    beq t2, zero, kernel
    ${TIME}
    sd t6, 0(a1)
    sd t4, 8(a1)
    li a0, 0
    ret
    kernel: ${call(113)}`,
  __vdso_gettimeofday: `
    table: auipc t1, -2
    addi t1, t1, TABLE
    ld t2, 0(t1)
    beq t2, zero, kernel
    beq a0, zero, zone
    ${TIME}
    li t5, 1000
    divu t4, t4, t5
    sd t6, 0(a0)
    sd t4, 8(a0)
    zone: beq a1, zero, done
    sd zero, 0(a1)
    done: li a0, 0
    ret
    kernel: ${call(169)}`,
  __vdso_clock_getres: `
    li t0, 12
    bgeu a0, t0, kernel
    slli t1, a0, 5
    table: auipc t2, -2
    add t1, t1, t2
    addi t1, t1, TABLE
    ld t2, 16(t1)
    beq t2, zero, kernel
    beq a1, zero, done
    sd zero, 0(a1)
    sd t2, 8(a1)
    done: li a0, 0
    ret
    kernel: ${call(114)}`,
  __vdso_getcpu: call(168),
  __vdso_flush_icache: call(259),
  __vdso_riscv_hwprobe: call(258),
}

/** The words of a function that stands at an offset of the page. */
function words(source: string, offset: number): number[] {
  const before = source.split('table:')[0]!.split('\n')
  const table = offset + 4 * before.filter((line) => line.trim() !== '').length
  const bytes = assemble(source.replace('TABLE', String(-table)), offset)
  return [...new Uint32Array(bytes.buffer)]
}

it('the functions are their assembly', () => {
  let offset = VDSO_CODE
  for (const { name, words: built } of VDSO_FUNCTIONS) {
    expect(built, name).toEqual(words(SOURCES[name]!, offset))
    offset += built.length * 4
  }
  expect(VDSO_FUNCTIONS.map(({ name }) => name)).toEqual(Object.keys(SOURCES))
})
