/** The parts of a hart that the build has kept, with V8's code of them. */
import { KeptParts } from '../hart/hart-parts.js'
import { v8Keeper } from './compiled-code.js'
import { withPatientInterpreter } from './engine.js'

export function keptParts(bytes?: Uint8Array): KeptParts {
  return new KeptParts(bytes, v8Keeper())
}

/** For the build: has V8 compile the interpreter in full, with the settings with which it will be taken. */
export function keepInterpreter(parts: KeptParts): void {
  withPatientInterpreter(() => parts.keepCode())
}
