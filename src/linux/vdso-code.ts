/**
 * The functions of [vdso], as machine code. They are written down in assembly in vdso-code.test.ts, which holds
 * these words against it. What tells the time multiplies the `time` register by the nanoseconds of a tick, adds those of the namespace and splits
 * the sum; the table of clocks in [vvar] (vvar.ts), two pages below, says for which clocks that is the truth. The others,
 * and whatever is none of a clock, are left to the system call.
 */

/** Where the first function stands in the page; each follows the one before. */
export const VDSO_CODE = 0x500

/** Where the trampoline of signal handlers stands. The unwinder of libgcc knows it by its two instructions. */
export const VDSO_SIGRETURN = VDSO_CODE

export interface VdsoFunction {
  readonly name: string
  readonly words: readonly number[]
}

export const VDSO_FUNCTIONS: readonly VdsoFunction[] = [
  { name: '__vdso_rt_sigreturn', words: [0x08b0_0893, 0x0000_0073] },
  {
    name: '__vdso_clock_gettime',
    words: [
      0x00c0_0293, 0x0455_7a63, 0x0055_1313, 0xffff_e397, 0x0073_0333, 0xaec3_0313, 0x0003_3383, 0x0203_8e63,
      0x0083_3e03, 0xc010_2ef3, 0x027e_8eb3, 0x0183_3f03, 0x01ee_8eb3, 0x3b9a_df37, 0xa00f_0f1b, 0x03ee_dfb3,
      0x03ee_feb3, 0x01cf_8fb3, 0x01f5_b023, 0x01d5_b423, 0x0000_0513, 0x0000_8067, 0x0710_0893, 0x0000_0073,
      0x0000_8067,
    ],
  },
  {
    name: '__vdso_gettimeofday',
    words: [
      0xffff_e317, 0xa943_0313, 0x0003_3383, 0x0403_8863, 0x0205_0e63, 0x0083_3e03, 0xc010_2ef3, 0x027e_8eb3,
      0x0183_3f03, 0x01ee_8eb3, 0x3b9a_df37, 0xa00f_0f1b, 0x03ee_dfb3, 0x03ee_feb3, 0x01cf_8fb3, 0x3e80_0f13,
      0x03ee_deb3, 0x01f5_3023, 0x01d5_3423, 0x0005_8463, 0x0005_b023, 0x0000_0513, 0x0000_8067, 0x0a90_0893,
      0x0000_0073, 0x0000_8067,
    ],
  },
  {
    name: '__vdso_clock_getres',
    words: [
      0x00c0_0293, 0x0255_7863, 0x0055_1313, 0xffff_e397, 0x0073_0333, 0xa203_0313, 0x0103_3383, 0x0003_8c63,
      0x0005_8663, 0x0005_b023, 0x0075_b423, 0x0000_0513, 0x0000_8067, 0x0720_0893, 0x0000_0073, 0x0000_8067,
    ],
  },
  { name: '__vdso_getcpu', words: [0x0a80_0893, 0x0000_0073, 0x0000_8067] },
  { name: '__vdso_flush_icache', words: [0x1030_0893, 0x0000_0073, 0x0000_8067] },
  { name: '__vdso_riscv_hwprobe', words: [0x1020_0893, 0x0000_0073, 0x0000_8067] },
]
