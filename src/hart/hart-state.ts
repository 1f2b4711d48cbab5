/**
 * The record of a hart in Region.harts (HART_BYTES each), byte offsets. All i64 are little endian pairs of words.
 *
 *     0     32 × i64   x0 … x31 (x0 stays zero)
 *     256   32 × i64   f0 … f31, raw bits
 *     512   i64        pc
 *     520   i32        fcsr: fflags in bits 0-4, frm in bits 5-7
 *     524   i32        1 while there is a reservation (LR to SC)
 *     528   i64        reservation: virtual address
 *     536   i64        reservation: the value that LR saw
 *     ---- 544: up to here is a thread's context: memory.copy saves and restores it
 *     544   i64        instret: instructions retired since boot
 *     552   i64        time: base, in ticks of 10 MHz
 *     560   f64        time: ticks per instruction. time = base + trunc(instret × ticks)
 *     568   i32        exit code of the last run
 *     572   i32        cause (scause's exception code)
 *     576   i64        tval
 *     584   16 bytes   bounce buffer for loads that cross a page
 *     600   i32        during a run: instructions that it may execute
 *     604   i32        during a run: page faults that may be answered without leaving (Hart.answerFaults)
 *     608   i32        what is told to who answers them
 *     640   256 bytes  scratch of the float helpers
 */
export const HART_BYTES = 4096

export const HartField = {
  x: 0,
  f: 256,
  pc: 512,
  fcsr: 520,
  isReserved: 524,
  reservationAddress: 528,
  reservationValue: 536,
  instret: 544,
  timeBase: 552,
  timeScale: 560,
  exit: 568,
  cause: 572,
  tval: 576,
  bounce: 584,
  budget: 600,
  answersLeft: 604,
  answerFor: 608,
  floatScratch: 640,
} as const

/** What a context switch saves and restores: registers, pc, fcsr, reservation. */
export const HART_CONTEXT_BYTES = 544

/** Ticks of the `time` CSR a second, as on QEMU's virt board. */
export const TIMEBASE_HZ = 10_000_000
