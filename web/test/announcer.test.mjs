import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { Announcer } from '../lib/announcer.js'

test('says the first line at once, then at most one thing in a second and a half', () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  const said = []
  const announcer = new Announcer((text) => said.push(text), (n) => `${n} new`)

  announcer.add('one')
  assert.deepEqual(said, ['one'])
  announcer.add('two')
  announcer.add('three')
  mock.timers.tick(1499)
  assert.deepEqual(said, ['one'])
  mock.timers.tick(1)
  assert.deepEqual(said, ['one', '2 new'])
  announcer.add('four')
  mock.timers.tick(1500)
  assert.deepEqual(said, ['one', '2 new', 'four'])
  mock.timers.tick(1500)
  announcer.add('five')
  assert.deepEqual(said, ['one', '2 new', 'four', 'five'])
  mock.timers.reset()
})
