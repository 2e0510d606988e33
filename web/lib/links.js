/** Where an address in a text ends, and which addresses may be links at all. */

const ADDRESS = /^(?:https?:\/\/|mailto:|www\.)[^\s<>"'`\\“”‘’「」]+/i
const CLOSING = /[.,;:!?*_~…。、，]$/
const HANGUL_AT_END = /^(.*?[^\p{Script=Hangul}])(\p{Script=Hangul}+)$/su
const PATH = /^[^/]*\/\/[^/]*[/?#]/
// What follows an address in a Korean sentence and can't be told from its path but by knowing it.
const PARTICLE =
  /^(?:(?:은|는|이|가|을|를|과|와|도|의|만|로|으로|에|에서|에게|한테|께|까지|부터|보다|처럼|마다|이나|나|랑|이랑|하고)(?:는|도|만|의)?|이?라고|이?라는|이?라서|인데|이고|이며|이다|입니다|인가요|이에요|예요|이야|야|요|임)$/

/**
 * The address that `text` begins with, if it does, without what belongs to the sentence around it.
 * @param {string} text
 */
export function addressAt(text) {
  let found = text.match(ADDRESS)?.[0]
  for (let before; found && found !== before; ) {
    before = found
    if (CLOSING.test(found)) found = found.slice(0, -1)
    else if (unbalanced(found, '(', ')') || unbalanced(found, '[', ']') || unbalanced(found, '{', '}'))
      found = found.slice(0, -1)
    else found = withoutParticle(found)
  }
  return found && target(found) ? found : undefined
}

/**
 * @param {string} text
 * @param {string} open
 * @param {string} close
 */
function unbalanced(text, open, close) {
  return text.endsWith(close) && text.split(close).length > text.split(open).length
}

/** @param {string} text */
function withoutParticle(text) {
  const [, address, hangul] = text.match(HANGUL_AT_END) ?? []
  if (!hangul || !/[A-Za-z0-9/)]$/.test(address)) return text
  return !PATH.test(text) || PARTICLE.test(hangul) ? address : text
}

/**
 * What a link to this address may have as its `href`: http, https and mailto only.
 * @param {string} address
 */
export function target(address) {
  try {
    const url = new URL(/^www\./i.test(address) ? `https://${address}` : address)
    return /^(?:https?|mailto):$/.test(url.protocol) && url.href.length > url.protocol.length ? url.href : undefined
  } catch {}
}
