import { Announcer } from '../lib/announcer.js'
import { Enter } from '../lib/enter.js'
import { parse } from './lines.js'
import { Link } from './link.js'
import { Log } from './log.js'
import { words } from './words.js'

const said = words(navigator.language)
const [box, newer, status, heard, form, field] = ['chatArea', 'newer', 'status', 'heard', 'composer', 'msg'].map((id) =>
  document.getElementById(id),
)

// Words

document.documentElement.lang = said.lang
box.ariaLabel = said.log
box.dataset.empty = said.empty
field.ariaLabel = said.field
field.placeholder = said.hint
form.querySelector('button').textContent = said.send

// The line and the log

const log = new Log(box, newer, said)
const announcer = new Announcer((text) => (heard.textContent = text), said.count)
let lastLine = ''

const link =
  'WebSocket' in window &&
  new Link(() => new WebSocket(`${location.origin.replace(/^http/, 'ws')}/ws`), {
    line(line, first) {
      // A server that turns us away says why at each try; once is enough.
      if (first && line === lastLine && line.startsWith('damso :: ')) return
      lastLine = line
      log.add({ ...parse(line), at: Date.now() })
      announcer.add(line)
    },
    state(state) {
      if (state === 'open') console.log('connected')
      status.textContent = said[state] ?? ''
    },
  })

if (link) {
  addEventListener('online', () => link.wake())
  document.addEventListener('visibilitychange', () => document.hidden || link.wake())
} else {
  status.textContent = said.missing
  for (const control of form.elements) control.disabled = true
}

// The field

function send() {
  if (!field.value.trim()) return
  link.send(field.value)
  field.value = ''
  log.follow()
}

const enter = new Enter()
const sendIfDue = () => enter.due() && send()

function typed(event) {
  const answer = enter.handle(event)
  if (answer === 'soon') setTimeout(sendIfDue)
  if (answer === 'send' || answer === 'flush') send()
  if (answer === 'send' || answer === 'swallow') event.preventDefault()
}

for (const type of ['compositionstart', 'compositionupdate', 'compositionend', 'keydown', 'keyup', 'blur']) {
  field.addEventListener(type, typed)
}

form.addEventListener('submit', (event) => {
  event.preventDefault()
  if (enter.composing) field.blur() // ends the composition, so that no syllable stays with the input method
  send()
  field.focus()
})

newer.addEventListener('click', () => field.focus())

// A phone's keyboard covers the page or pans it, instead of shrinking it; zooming by two fingers is neither.

const view = window.visualViewport

function fit() {
  if (view.scale > 1.01) return
  document.documentElement.style.setProperty('--height', `${view.height}px`)
  document.documentElement.style.setProperty('--top', `${view.offsetTop}px`)
}

view?.addEventListener('resize', fit)
view?.addEventListener('scroll', fit)
