/** `pagoda/node`: what a program that embeds Pagoda in Node needs of the host. */
export { NodeDirectory } from './node-directory.js'
export { type NodeHost, nodeHost } from './node-streams.js'
