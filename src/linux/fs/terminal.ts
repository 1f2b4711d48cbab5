/**
 * The terminal that the host's streams may be. The host's own does the editing, the echo and the signals of its keys; what
 * is kept here is what programs ask about and set: attributes, size, the foreground group. Plain data.
 */

/** struct termios of the kernel: four words of flags, c_line, 19 control characters. */
export const TERMIOS_BYTES = 36
const FLAGS = [0x500, 0x5, 0xbf, 0x8a3b]
const CONTROL_CHARACTERS = [3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0]
const CONTROL_CHARACTERS_OFFSET = 17

export interface TerminalState {
  /** struct termios as the program set it last. */
  attributes: Uint8Array
  /** struct winsize as the program set it; null: the host's terminal says. */
  size: Uint8Array | null
  /** Process group that may read and write; 0 until somebody asks. */
  foreground: number
  /** Whose controlling terminal it is; 0: of whoever asks first. */
  session: number
}

export function makeTerminal(): TerminalState {
  const attributes = new Uint8Array(TERMIOS_BYTES)
  const view = new DataView(attributes.buffer)
  for (const [i, flags] of FLAGS.entries()) view.setUint32(i * 4, flags, true)
  attributes.set(CONTROL_CHARACTERS, CONTROL_CHARACTERS_OFFSET)
  return { attributes, size: null, foreground: 0, session: 0 }
}
