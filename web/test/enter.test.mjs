import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Enter } from '../lib/enter.js'

/**
 * A field with an input method, in miniature: `ime` changes the text as the platform would, `handle` is asked as the
 * page asks it, and a send empties the field. `task()` is the page's new task.
 */
class Field {
  enter = new Enter()
  now = 0
  value = ''
  preedit = ''
  sent = []
  log = []

  event(event) {
    this.now += 3
    const answer = this.enter.handle({ timeStamp: this.now, ...event })
    this.log.push(answer)
    if (answer === 'soon') this.later = true
    if (answer === 'send' || answer === 'flush') this.send()
    return answer
  }
  task() {
    if (this.later && this.enter.due()) this.send()
    this.later = false
  }
  send() {
    if (this.value) this.sent.push(this.value)
    this.value = ''
  }
  compose(text) {
    if (!this.preedit) this.event({ type: 'compositionstart', data: '' })
    this.value = this.value.slice(0, this.value.length - this.preedit.length) + text
    this.preedit = text
    this.event({ type: 'compositionupdate', data: text })
  }
  commit(text) {
    this.value = this.value.slice(0, this.value.length - this.preedit.length) + text
    this.preedit = ''
    this.event({ type: 'compositionend', data: text })
  }
  down(more) {
    return this.event({ type: 'keydown', key: 'Enter', code: 'Enter', keyCode: 13, isComposing: this.preedit !== '', ...more })
  }
  taken(more) {
    return this.down({ keyCode: 229, ...more })
  }
  up() {
    this.event({ type: 'keyup', key: 'Enter', code: 'Enter', keyCode: 13 })
  }
  letter() {
    this.event({ type: 'keydown', key: 'Process', code: 'KeyD', keyCode: 229, isComposing: this.preedit !== '' })
  }
  hangul(text) {
    for (const syllable of text) {
      this.letter()
      if (this.preedit) this.commit(this.preedit)
      this.compose(syllable)
    }
  }
}

function check(steps, sent, value = '') {
  const field = new Field()
  steps(field)
  assert.deepEqual({ sent: field.sent, value: field.value }, { sent, value })
}

test('Enter without composition sends', () => check((f) => ((f.value = 'hello'), f.down(), f.up()), ['hello']))

test('Shift+Enter is left to the field, also while composing', () => {
  check((f) => ((f.value = 'hello'), assert.equal(f.down({ shiftKey: true }), undefined)), [], 'hello')
  check((f) => (f.hangul('안녕'), f.taken({ shiftKey: true }), f.commit('녕'), f.task()), [], '안녕')
})

test('A: 229 while composing, then the end', () =>
  check((f) => (f.hangul('안녕하세요'), f.taken(), f.commit('요'), f.task(), f.up()), ['안녕하세요']))

test('B: the same and a second keydown 13, before the new task', () =>
  check((f) => (f.hangul('안녕하세요'), f.taken(), f.commit('요'), f.down(), f.task(), f.up()), ['안녕하세요']))

test('B: the same and a second keydown 13, after the new task', () =>
  check((f) => (f.hangul('안녕하세요'), f.taken(), f.commit('요'), f.task(), f.down(), f.up()), ['안녕하세요']))

test('C: the end first, then 229 outside of composition', () =>
  check((f) => (f.hangul('안녕하세요'), f.commit('요'), f.taken(), f.up(), f.task()), ['안녕하세요']))

test('C with a keydown that was stamped before the end', () =>
  check((f) => (f.hangul('요'), f.commit('요'), f.taken({ timeStamp: f.now - 40 }), f.task()), ['요']))

test('D: the key is called Process', () =>
  check((f) => (f.hangul('안녕하세요'), f.taken({ key: 'Process' }), f.commit('요'), f.task(), f.up()), ['안녕하세요']))

test('D with a second keydown, however the first is named', () => {
  for (const code of ['Enter', '']) {
    check((f) => (f.hangul('네요'), f.taken({ key: 'Process', code }), f.commit('요'), f.task(), f.down(), f.up()), ['네요'])
    check((f) => (f.hangul('네요'), f.taken({ key: 'Process', code }), f.commit('요'), f.down(), f.task(), f.up()), ['네요'])
  }
})

test('jamo count as Hangul', () => check((f) => (f.hangul('ㅋㅋ'), f.taken(), f.commit('ㅋ'), f.task()), ['ㅋㅋ']))

test('a Hanja candidate picked by Enter sends nothing, the next Enter does', () =>
  check(
    (f) => {
      f.compose('한')
      f.taken()
      f.commit('韓')
      f.task()
      f.up()
      assert.deepEqual(f.sent, [])
      f.down()
    },
    ['韓'],
  ))

test('a Japanese candidate picked by Enter sends nothing, in any order of events', () => {
  const typed = (f) => (f.compose('にほん'), f.compose('日本'))
  check((f) => (typed(f), f.taken(), f.commit('日本'), f.task(), f.up()), [], '日本')
  check((f) => (typed(f), f.taken(), f.commit('日本'), f.down(), f.task(), f.up()), [], '日本')
  check((f) => (typed(f), f.commit('日本'), f.taken(), f.task(), f.up()), [], '日本')
  check((f) => (typed(f), f.down(), f.commit('日本'), f.task(), f.up()), [], '日本')
})

test('a candidate that appears after the Enter disarms it', () =>
  check((f) => (f.compose('한'), f.taken(), f.compose('韓'), f.compose('한자'), f.commit('한자'), f.task()), [], '한자'))

test('a composition that is thrown away sends nothing', () =>
  check((f) => ((f.value = '가'), f.compose('나'), f.taken(), f.commit(''), f.task()), [], '가'))

test('229 long after a Hangul end belongs to the input method', () =>
  check((f) => (f.hangul('요'), f.commit('요'), (f.now += 80), assert.equal(f.taken(), undefined)), [], '요'))

test('a held Enter sends once', () =>
  check((f) => ((f.value = 'a'), f.down(), (f.value = 'b'), f.down({ repeat: true }), (f.now += 900), f.down({ repeat: true })), ['a'], 'b'))

test('two presses are two sends, also without a keyup in between', () => {
  check((f) => ((f.value = 'a'), f.down(), f.up(), (f.value = 'b'), f.down()), ['a', 'b'])
  check((f) => ((f.value = 'a'), f.down(), (f.now += 600), (f.value = 'b'), f.down()), ['a', 'b'])
  check((f) => ((f.value = 'a'), f.down(), f.letter(), (f.value = 'b'), f.down()), ['a', 'b'])
})

test('a key that comes before the new task starts the next message', () =>
  check((f) => (f.hangul('네'), f.taken(), f.commit('네'), f.hangul('또'), f.task()), ['네'], '또'))

test('an Enter that ended nothing is forgotten when typing goes on', () =>
  check((f) => (f.hangul('가'), f.taken(), f.hangul('나'), f.commit('나'), f.task()), [], '가나'))
