/**
 * What a machine needs of the program that embeds it: three byte streams. Nothing here may block: a stream that
 * cannot go on answers -EAGAIN, and says later that it can.
 */
export interface HostInput {
  /** Moves what is there into `target`: bytes moved, 0 at the end of input, -EAGAIN when nothing is there yet. */
  read(target: Uint8Array): number
  /** Whether `read` would answer at once. */
  isReady(): boolean
  /** Resolves when `isReady` has become true. */
  ready(): Promise<void>
  readonly terminal?: boolean
}

export interface HostOutput {
  /** Takes (copies) bytes: how many, -EAGAIN when none fits now, -EPIPE when nobody reads any more. */
  write(source: Uint8Array): number
  isReady(): boolean
  ready(): Promise<void>
  readonly terminal?: boolean
  /** Of a terminal. */
  size?(): { columns: number; rows: number }
}

export interface Host {
  readonly stdin: HostInput
  readonly stdout: HostOutput
  readonly stderr: HostOutput
}

/** Input that is known in full: the whole of `bytes`, then the end. */
export function fixedInput(bytes: Uint8Array): HostInput {
  let position = 0
  return {
    read(target) {
      const part = bytes.subarray(position, position + target.length)
      target.set(part)
      position += part.length
      return part.length
    },
    isReady: () => true,
    ready: async () => {},
  }
}

/** Output that is handed to a function, chunk by chunk; it never refuses. The chunk is a copy. */
export function callbackOutput(take: (chunk: Uint8Array) => void): HostOutput {
  return {
    write(source) {
      take(source.slice())
      return source.length
    },
    isReady: () => true,
    ready: async () => {},
  }
}
