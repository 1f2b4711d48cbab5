/** What the command asks of the JavaScript engine that it has for itself. A library must not: it is a guest there. */
import { KNOWS_ENGINE, setV8Flags } from './v8-flags.js'

/**
 * What is so small is put into whoever calls it when V8 optimizes that, and not counted (default 27 bytes of bytecode). What V8 counts it puts in up to 920 bytes, and so leaves
 * half of the accessors of a record as calls to who comes to them last. (mmap + munmap among 1,000 mappings 310 to 216 ns; whole programs take as long.
 * With 60, storms of faults and of map, touch, unmap take 6 to 9 per cent more.)
 *
 * The other limits are V8's own. Since calls of what is short are put in by the build (scripts/inline-calls.mjs) more is of no use: with 700 bytes a function and 1,280 in all
 * 60,000 times map, touch, unmap take 7 per cent more, 1,500 forks 5, and long storms as long.
 */
const INLINING = ['--max-inlined-bytecode-size-small=145']

/**
 * A function's calls, since it last met something new, before V8 thinks of optimizing it (default 500): what is compiled sooner is often
 * thrown away again. (Page faults 0.71 to 0.61 s, 500 forks 1.06 to 0.99.)
 */
const SETTLED = '--minimum-invocations-after-ic-update=2000'

/** The loop around all turns of threads (Scheduler). */
export const LOOP = 'runSlice'

/**
 * That loop is never optimized, only what it calls. It is called once in ten milliseconds and runs for that long, so V8 compiled it while it
 * ran, with most of the kernel's way in it, and again at each thing that it had not met, long before the kernel was settled. (musl's storm of malloc 0.51 to 0.47 s of processor time; storms of faults take 0 to 2 per cent more.)
 */
const LOOP_AS_IT_IS = `--turbo-filter=-${LOOP}`

/**
 * What V8 leaves out when it optimizes a function: peeling the first turn off loops, finding what a loop counts, and objects that need not be made.
 * The kernel's ways have few loops and make hardly any objects, so all three only take their time. (60,000 times map, touch, unmap 0.37 to 0.34 s, musl's storm of
 * malloc 0.44 to 0.41, storms of forks and faults 2 to 4 per cent less, long ones and all other programs as before. Without eliminating
 * loads long storms take 40 per cent more; without what is left it is no less.)
 */
const FEWER_PHASES = ['--no-turbo-loop-peeling', '--no-turbo-loop-variable', '--no-turbo-escape']

/**
 * Heeds what a module says of its branches, which changes nothing but where code is put: what translated code does when a page is not in
 * the TLB stands behind all else. (Branch hinting, a proposal for WebAssembly; on by default in later versions of V8.)
 */
const BRANCH_HINTS = '--experimental-wasm-branch-hinting'

/** A module's functions are checked when they are first called, and not also when the module is made: most of the interpreter's never are. */
const LAZY_VALIDATION = '--wasm-lazy-validation'

/**
 * Leaves out of WebAssembly what asks at each call and each turn of a loop whether somebody interrupts it, or the stack is full. It is all
 * ours: it calls nothing that calls it again, and comes back after a bounded number of instructions. Of a loop of five instructions it took a
 * register and a sixth of the time (8 MiB sum 0.68 to 0.58 s, sieve 0.83 to 0.63 s).
 */
const STACK_CHECKS = '--no-wasm-stack-checks'

/** To be called before there is work: what is compiled already stays as it is. */
export function tuneEngine(): void {
  setV8Flags(...INLINING, BRANCH_HINTS, LAZY_VALIDATION, STACK_CHECKS)
  if (!KNOWS_ENGINE) return
  if (!changed.includes(NO_BATCHES)) changed.push(NO_BATCHES)
  setV8Flags(...FEWER_PHASES, SETTLED, LOOP_AS_IT_IS, `${NO_BATCHES.flag}=${NO_BATCHES.value}`)
  setV8Flags(`--interrupt-budget=${BUDGET}`, `--wasm-tiering-budget=${TIERING_BUDGET}`)
}

/** Puts back what is changed while guests run: for a code cache, which V8 takes with the same settings only. */
export function untuneEngine(): void {
  if (!KNOWS_ENGINE) return
  compileBatches()
  setV8Flags(`--interrupt-budget=${STANDARD_BUDGET}`, `--wasm-tiering-budget=${STANDARD_TIERING_BUDGET}`)
}

interface Setting {
  readonly flag: string
  readonly value: number
  readonly usual: number
}

/** What is set for a while. V8's settings are of the whole process, so this is too. */
const changed: Setting[] = []

/**
 * Bytes of code that Sparkplug is to make, before it makes them: none, until a program has run for some milliseconds. (Of hello's whole process that was a
 * twenty-fifth.)
 */
const NO_BATCHES: Setting = {
  flag: '--baseline-batch-compilation-threshold',
  value: 1_000_000_000,
  usual: 4096,
}

/** The program goes on: what has run often is compiled from now on. */
export function compileBatches(): void {
  const at = changed.indexOf(NO_BATCHES)
  if (at < 0) return
  changed.splice(at, 1)
  setV8Flags(`${NO_BATCHES.flag}=${NO_BATCHES.usual}`)
}

/** As if they were compiled already: what V8 has kept of WebAssembly it takes with the settings only that it was kept with. */
export function withBatches<T>(act: () => T): T {
  if (!changed.includes(NO_BATCHES)) return act()
  setV8Flags(`${NO_BATCHES.flag}=${NO_BATCHES.usual}`)
  try {
    return act()
  } finally {
    setV8Flags(`${NO_BATCHES.flag}=${NO_BATCHES.value}`)
  }
}

function withSetting<T>(flag: string, value: number, usual: number, act: () => T): T {
  if (!KNOWS_ENGINE || changed.some((one) => one.flag === flag)) return act()
  changed.push({ flag, value, usual })
  setV8Flags(`${flag}=${value}`)
  try {
    return act()
  } finally {
    setV8Flags(`${flag}=${usual}`)
    changed.pop()
  }
}

/** As if nothing were set for a while: V8 takes what was kept of a script with the settings only that it was kept with. */
export function withUsualSettings<T>(act: () => T): T {
  for (const { flag, usual } of changed) setV8Flags(`${flag}=${usual}`)
  try {
    return act()
  } finally {
    for (const { flag, value } of changed) setV8Flags(`${flag}=${value}`)
  }
}

/**
 * How much of WebAssembly V8 counts a function to have done, in bytes, before it compiles it a second time (default 1,800,000). Of a large program
 * that starts and ends, most translated functions are called some thousand times: what V8 compiled of them cost more than it saved. (node -e 1,
 * running in here, 3.1 to 2.7 s, Ruby's start 2.6 to 2.3, C++ containers 0.40 to 0.39; gzip, sqlite3, loops of Python take as long; with
 * 50,000,000 Ruby 2.2, but loops of Python 3 per cent more.)
 */
const TIERING_BUDGET = 20_000_000
const STANDARD_TIERING_BUDGET = 1_800_000

/**
 * Makes a machine whose interpreter V8 compiles a second time only after some hundred thousand instructions: a guest of fewer does
 * not pay for it. (V8 counts the bytes that loops go back: in the interpreter, some ten thousand an instruction.)
 */
export function withPatientInterpreter<T>(make: () => T): T {
  return withSetting('--wasm-tiering-budget', 1_000_000_000, TIERING_BUDGET, make)
}

/** How long a function runs before V8 thinks of optimizing it, in bytes of bytecode. */
const STANDARD_BUDGET = 67_584

/**
 * (Tried of V8's stages before that, and left as they are: without Sparkplug hello takes 6 ms less, but storms of calls 0.2 to 0.3 s more, and
 * 0.2 s more if it only begins after the first slice; batches of 16 KiB and more are no better, nor are more or fewer bytes of bytecode before a
 * function has feedback, a young generation that grows faster, nor small functions optimized later, or large ones sooner.)
 *
 * Half of the processor time of a storm of calls went into optimizing the kernel, much of it too early and so again. (With five times V8's own 500 forks took 0.90 s instead of
 * 1.49, page faults 0.63 instead of 0.73. Since the build puts short calls in, twice is enough, each with a code cache made for it, as V8 refuses others: three times to two, 1,500 forks
 * 0.51 to 0.49 s, 5,000 of them 0.86 to 0.81, 60,000 times map, touch, unmap and storms of malloc as long; four times, beside three, took 1 to 12 per cent more of the first, the third and musl's storm.)
 */
const BUDGET = 2 * STANDARD_BUDGET

/**
 * Translates. That is much code that runs for some tenths of a second: for V8 to optimize it costs more than it saves. (On a busy machine
 * gzip took 3.9 s instead of 4.3, C++ containers 1.11 instead of 1.14 in one comparison and 1.10 instead of 1.50 in another.)
 */
export function optimizingLess(translate: () => void): void {
  withSetting('--interrupt-budget', 10 * STANDARD_BUDGET, BUDGET, translate)
}
