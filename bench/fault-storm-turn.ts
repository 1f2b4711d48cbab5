export interface StormThreadData {
  readonly memory: WebAssembly.Memory
  readonly turn: SharedArrayBuffer
  readonly space: number
  readonly hart: number
}

const ASKED = 0
const DONE = 1

/** Rounds that one thread asks of another. */
export class Turn {
  readonly #words: Int32Array

  constructor(buffer = new SharedArrayBuffer(8)) {
    this.#words = new Int32Array(buffer)
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

  get #done(): number {
    return Atomics.load(this.#words, DONE)
  }

  /** The other side: does a round each time that it is asked to. */
  serve(round: () => void): never {
    for (;;) {
      Atomics.wait(this.#words, ASKED, this.#done)
      round()
      this.#signal(DONE)
    }
  }

  #signal(field: number): void {
    Atomics.add(this.#words, field, 1)
    Atomics.notify(this.#words, field)
  }
}
