/** V8's settings, as node:v8 sets them. */

/** Of most settings nobody can ask what they were, so they are changed only where V8's own are known: in Node 20. */
export const KNOWS_ENGINE = process.versions.v8.startsWith('11.3.')

type SetFlags = (flags: string) => void

/**
 * Node's own part of node:v8. With node:v8 come heap snapshots, and with these all of Node's streams: 2 ms of a short start. The name is not
 * for others, and Node says so when it is used; where it is not what Node 20 has, node:v8 is loaded.
 */
function findSetFlags(): SetFlags {
  const { noDeprecation } = process
  try {
    process.noDeprecation = true
    const { binding } = process as unknown as {
      binding?: (name: string) => { setFlagsFromString?: SetFlags }
    }
    const own = KNOWS_ENGINE ? binding?.('v8').setFlagsFromString : undefined
    if (own !== undefined) return own
  } catch {
    // not for us
  } finally {
    if (noDeprecation === undefined) delete process.noDeprecation
    else process.noDeprecation = noDeprecation
  }
  return process.getBuiltinModule('node:v8').setFlagsFromString
}

let setFlags: SetFlags | undefined

/** Each `--name=value`, or `--name`, or `--no-name`. */
export function setV8Flags(...flags: readonly string[]): void {
  setFlags ??= findSetFlags()
  // V8 takes no more of a line when it does not know something in it.
  if (KNOWS_ENGINE) setFlags(flags.join(' '))
  else for (const flag of flags) setFlags(flag)
}
