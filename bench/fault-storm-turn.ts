export interface StormThreadData {
  readonly memory: WebAssembly.Memory
  readonly turn: SharedArrayBuffer
  /** How many threads make the round together, and how many of them have come. */
  readonly start: SharedArrayBuffer
  readonly space: number
  readonly hart: number
}

const ASKED = 0
const DONE = 1
/** Indices of the 64-bit numbers behind the two words. */
const BEGAN = 1
const ENDED = 2

/** Rounds that one thread asks of another. */
export class Turn {
  readonly #words: Int32Array
  readonly #times: Float64Array

  constructor(buffer = new SharedArrayBuffer(24)) {
    this.#words = new Int32Array(buffer)
    this.#times = new Float64Array(buffer)
  }

  get buffer(): SharedArrayBuffer {
    return this.#words.buffer as SharedArrayBuffer
  }

  start(): void {
    this.#signal(ASKED)
  }

  waitUntilDone(): void {
    const asked = Atomics.load(this.#words, ASKED)
    for (let done = this.#done; done !== asked; done = this.#done) Atomics.wait(this.#words, DONE, done)
  }

  /** When the last round began and ended, in milliseconds of a clock that all threads have. */
  get times(): { began: number; ended: number } {
    return { began: this.#times[BEGAN]!, ended: this.#times[ENDED]! }
  }

  /** A notification of the last round may come late: it is not the next one's. */
  #awaitTurn(): void {
    const done = this.#done
    while (Atomics.load(this.#words, ASKED) === done) Atomics.wait(this.#words, ASKED, done)
  }

  get #done(): number {
    return Atomics.load(this.#words, DONE)
  }

  /** The other side: does a round each time that it is asked to, from when all have come. */
  serve(all: StartLine, round: () => void): never {
    for (;;) {
      this.#awaitTurn()
      all.cross()
      this.#times[BEGAN] = now()
      round()
      this.#times[ENDED] = now()
      this.#signal(DONE)
    }
  }

  #signal(field: number): void {
    Atomics.add(this.#words, field, 1)
    Atomics.notify(this.#words, field)
  }
}

const now = () => Number(process.hrtime.bigint()) / 1e6

const EXPECTED = 0
const ARRIVED = 1

/** Where threads wait for each other without sleeping, so that none begins late. */
export class StartLine {
  readonly #words: Int32Array

  constructor(buffer = new SharedArrayBuffer(8)) {
    this.#words = new Int32Array(buffer)
  }

  get buffer(): SharedArrayBuffer {
    return this.#words.buffer as SharedArrayBuffer
  }

  /** So many will come. */
  draw(threads: number): void {
    Atomics.store(this.#words, ARRIVED, 0)
    Atomics.store(this.#words, EXPECTED, threads)
  }

  cross(): void {
    Atomics.add(this.#words, ARRIVED, 1)
    while (Atomics.load(this.#words, ARRIVED) < Atomics.load(this.#words, EXPECTED));
  }
}
