import type { Server } from 'node:http'

export function serve(options?: { isolated?: boolean; port?: number }): Promise<Server>
