const SEPARATOR = ' :: '
const TOGETHER = 5 * 60_000 // ms: lines of one author this close stand under one name
const KINDS = new Map([
  ['Administrator', 'admin'],
  ['damso', 'house'],
])

/**
 * `who :: message` as the server writes it → `{who, text, kind}`. The first ` :: ` separates: a name can't hold one, a
 * message can. Further lines of a message come indented by four spaces, so that nobody can forge an author; here the
 * message stands under its author's name anyway, and the indent goes.
 */
export function parse(line) {
  const at = line.indexOf(SEPARATOR)
  const who = at < 0 ? '' : line.slice(0, at)
  const text = at < 0 ? line : line.slice(at + SEPARATOR.length)
  return { who, text: text.replace(/(\r\n?|\n) {4}/g, '\n'), kind: KINDS.get(who) ?? 'guest' }
}

/** Whether `next` goes under the name above `last`; both with `at`, their time in ms. */
export function together(last, next) {
  return last !== null && last.who === next.who && next.at - last.at < TOGETHER
}

/** Two signs for the round mark beside a name: the end of a port, or the name's first letter. */
export function mark(who) {
  return /:\d*?(\d{1,2})$/.exec(who)?.[1] ?? [...who][0]?.toUpperCase() ?? ''
}
