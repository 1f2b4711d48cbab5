/** What the build has given the command, with V8's code of it. */
import { KeptParts } from '../hart/hart-parts.js'
import { v8Keeper } from './compiled-code.js'
import { withPatientInterpreter } from './engine.js'

export interface BuiltIn {
  /** Of a hart. */
  readonly parts: KeptParts
  /** A name that no other build has; nothing where nobody knows it. */
  readonly build: string | undefined
}

/** `parts`: bytes of a KeptParts of this very build. */
export function builtIn(parts?: Uint8Array, build?: string): BuiltIn {
  return { parts: new KeptParts(parts, v8Keeper()), build }
}

/** For the build: has V8 compile the interpreter in full, with the settings with which it will be taken. */
export function keepInterpreter({ parts }: BuiltIn): void {
  withPatientInterpreter(() => parts.keepCode())
}
