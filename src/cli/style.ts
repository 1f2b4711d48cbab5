import { styleText } from 'node:util'
import { isTerminal } from './terminal.js'

type Format = Parameters<typeof styleText>[0]

/** Text with colour, if what shows it is a terminal; FORCE_COLOR, NO_COLOR and TERM=dumb are honoured. `descriptor`: 1 or 2. */
export function style(format: Format, text: string, descriptor: 1 | 2 = 2): string {
  return hasColour(descriptor) ? styleText(format, text, { validateStream: false }) : text
}

/** Node's own way to find out makes a stream first, which takes milliseconds. */
function hasColour(descriptor: number): boolean {
  const { FORCE_COLOR, NO_COLOR, NODE_DISABLE_COLORS, TERM } = process.env
  if (FORCE_COLOR !== undefined) return FORCE_COLOR !== '0'
  if (NO_COLOR || NODE_DISABLE_COLORS || TERM === 'dumb') return false
  return isTerminal(descriptor)
}
