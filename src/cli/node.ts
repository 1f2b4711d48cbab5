/** `pagoda/node`: what a program that embeds Pagoda in Node needs of the host. */
export { NodeDirectory } from './node-directory.js'
export { nodeHost } from './node-streams.js'
