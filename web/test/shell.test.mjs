import assert from 'node:assert/strict'
import { test } from 'node:test'
import { call, isFirst } from '../model/notify.js'
import { caps, KEYS, meaning } from '../view/shell/keys.js'
import { drawn } from '../view/shell/qr.js'
import { calls, titled } from '../view/shell/title.js'
import keys from '../words/keys.js'
import settings from '../words/settings.js'
import shell from '../words/shell.js'

const press = (key, more = {}) => ({ key, code: '', keyCode: 0, ...more })
const here = { mac: false }

test('each key is in the dialog, in both languages, and means one thing', () => {
  for (const { does } of KEYS) for (const lang of ['ko', 'en']) assert.ok(keys[lang][does], `${does} in ${lang}`)
  const heard = KEYS.filter(({ act }) => act).flatMap((key) => key.keys)
  assert.equal(new Set(heard).size, heard.length)
})

test('what a press means for the whole page', () => {
  assert.equal(meaning(press('k', { ctrlKey: true }), here), 'switcher')
  assert.equal(meaning(press('K', { ctrlKey: true }), here), 'switcher', 'caps lock')
  assert.equal(meaning(press('ㅏ', { code: 'KeyK', ctrlKey: true }), here), 'switcher', 'the Korean layout')
  assert.equal(meaning(press('k', { metaKey: true }), { mac: true }), 'switcher')
  assert.equal(meaning(press('k', { ctrlKey: true }), { mac: true }), undefined, 'the field’s own on a Mac')
  assert.equal(meaning(press('ArrowUp', { altKey: true }), here), 'up')
  assert.equal(meaning(press('ArrowDown', { altKey: true, shiftKey: true }), here), 'unreadDown')
  assert.equal(meaning(press('?', { shiftKey: true }), here), 'keys')
  assert.equal(meaning(press('/'), here), 'search')
  for (const key of ['/', '?']) assert.equal(meaning(press(key), { ...here, typing: true }), undefined, 'a sign to who is writing')
  assert.equal(meaning(press('Escape'), { ...here, typing: true }), 'escape')
  assert.equal(meaning(press('k'), here), undefined)
})

test('input methods and the system keep their keys', () => {
  const all = KEYS.flatMap((key) => key.keys).map((chord) => chord.split('+').at(-1) || '+')
  for (const key of [...all, 'k', 'f'])
    for (const theirs of [{ isComposing: true }, { keyCode: 229 }, { metaKey: true }])
      for (const more of [{}, { ctrlKey: true }, { altKey: true }])
        assert.equal(meaning(press(key, { ...more, ...theirs }), here), undefined, key)
  for (const key of ['HangulMode', 'Hangul', 'Lang1', 'HanjaMode', 'Process', 'Alt', 'AltGraph', 'Control', 'Meta'])
    for (const more of [{}, { altKey: true }, { ctrlKey: true }]) assert.equal(meaning(press(key, more), here), undefined, key)
  assert.equal(meaning(press('.', { metaKey: true, code: 'Period' }), here), undefined)
})

test('keys are called as they are on the machine', () => {
  assert.deepEqual(caps('Alt+Shift+ArrowUp', false), ['Alt', 'Shift', '↑'])
  assert.deepEqual(caps('Mod+K', false), ['Ctrl', 'K'])
  assert.deepEqual(caps('Mod+K', true), ['⌘', 'K'])
  assert.deepEqual(caps('+', false), ['+'])
})

const room = (more) => ({ id: 'r1', name: '점심', kind: 'public', head: 9, n: 9, read: 4, readn: 4, mentions: 0, notify: 'all', ...more })

test('the title counts mentions, and all of direct messages', () => {
  assert.equal(calls([room({}), room({ mentions: 2 }), room({ kind: 'direct', mentions: 1 })]), 7)
  assert.equal(titled(0, 'lobby', '담소'), 'lobby · 담소')
  assert.equal(titled(3, 'lobby', '담소'), '(3) lobby · 담소')
})

test('somebody is told of mentions and direct messages, and of nothing else', () => {
  const said = (more) => ({ notice: 'message', room: 'r1', seq: 7, by: 'u2', name: 'Ann', text: 'hi', ...more })
  const told = (notice, entry = room({})) => call(notice, 'u1', (id) => (id === 'r1' ? entry : undefined))
  assert.equal(told(said({})), null)
  assert.deepEqual(told(said({ mentions: ['u1'] })), { room: 'r1', m: 7, name: 'Ann', text: 'hi', direct: false })
  for (const all of ['@room', '@here']) assert.ok(told(said({ mentions: [all] })))
  assert.equal(told(said({ mentions: ['u3'] })), null)
  assert.ok(told(said({}), room({ kind: 'direct' }))?.direct)
  assert.equal(told(said({ mentions: ['u1'], by: 'u1' })), null, 'one’s own')
  assert.equal(told(said({ mentions: ['u1'] }), room({ notify: 'nothing' })), null)
  assert.equal(told(said({ mentions: ['u1'] }), room({ read: 7 })), null, 'read elsewhere')
  assert.equal(told(said({ mentions: ['u1'], room: 'r2' })), null, 'no room of the list')
  const preview = { room: 'r1', m: 7, by: 'u2', name: 'Ann', text: 'hi' }
  assert.ok(told({ notice: 'bump', preview }))
  assert.equal(told({ notice: 'bump' }), null)
  assert.equal(told({ notice: 'changed', room: 'r1', seq: 7 }), null)
})

test('of several tabs one tells', () => {
  const held = new Map()
  const storage = { getItem: (key) => held.get(key) ?? null, setItem: (key, value) => held.set(key, value) }
  assert.deepEqual([1, 1, 3, 2, 4].map((m) => isFirst(storage, { room: 'r1', m })), [true, false, true, false, true])
  assert.ok(isFirst(storage, { room: 'r2', m: 1 }))
  const forbidden = { getItem: () => assert.fail(), setItem: () => assert.fail() }
  assert.ok(isFirst(forbidden, { room: 'r1', m: 1 }))
})

test('a code is drawn with its light edge', () => {
  assert.deepEqual(drawn(['101', '011', '000']), { path: 'M4 4h1v1h-1zM6 4h1v1h-1zM5 5h2v1h-2z', size: 11 })
})

test('both languages say the same', () => {
  for (const { ko, en } of [keys, settings, shell]) assert.deepEqual(Object.keys(ko), Object.keys(en))
})
