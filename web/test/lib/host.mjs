import { networkInterfaces } from 'node:os'

/** Whether pages come over plain http from an address that is no loopback (WEB_ADDRESS=lan): no secure context then. */
export const isLan = process.env.WEB_ADDRESS === 'lan'

/** The address at which the tests' servers listen. */
export const HOST = isLan ? ownAddress() : '127.0.0.1'

function ownAddress() {
  // A browser trusts no name and no address but loopback's, so it has to be one of the machine's own.
  const found = Object.values(networkInterfaces()).flat().find(({ family, internal }) => family === 'IPv4' && !internal)
  if (!found) throw new Error('WEB_ADDRESS=lan needs an IPv4 address besides loopback, and this machine has none')
  return found.address
}
