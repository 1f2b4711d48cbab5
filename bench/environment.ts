/**
 * The environment of every program that is measured, on all sides: of this process's own only what they need to be found and
 * to find their files. What else is set may cost time on one side only: with NODE_EXTRA_CA_CERTS the start of Node takes 87 ms, without it 31.
 */
const NAMES = ['PATH', 'HOME', 'XDG_CACHE_HOME', 'RV_CACHE']

export const ENVIRONMENT: Readonly<Record<string, string>> = Object.fromEntries(
  NAMES.flatMap((name) => {
    const value = process.env[name]
    return value === undefined ? [] : [[name, value]]
  }),
)

/** In words, for whoever reads the figures. */
export const ENVIRONMENT_TEXT = `of the environment they have ${NAMES.join(', ')} and nothing else`
