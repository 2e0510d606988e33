/** What lies beside the conversation: members, pins, room settings; more in ../lib/page.mjs. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { bot } from '../lib/bot.mjs'
import { startDamso } from '../lib/damso.mjs'
import { closeBrowser, until, withChat } from '../lib/page.mjs'

let damso
let minsu
let ada
let jiwon

before(async () => {
  damso = await startDamso({ lifted: true })
  ;[minsu, ada, jiwon] = await Promise.all(['민수', 'Ada', '지원'].map((name) => bot(damso.url, name)))
})

after(async () => {
  await closeBrowser()
  for (const each of [minsu, ada, jiwon]) each?.close()
  await damso?.stop()
})

const REFUSED = /status of 409/ // what the browser itself says of a refusal

/** Minsu's page, in a room; `aside` is what lies beside it, opened by its button in the header. */
const beside = (room, button, run) =>
  withChat(damso.url, { key: minsu.key, at: `#/${room}`, forgive: REFUSED }, async (page) => {
    const aside = page.getByRole('complementary')
    await page.locator('.room-head').getByRole('button', { name: button, exact: true }).click()
    await aside.waitFor()
    await run({ page, aside, press: (name) => aside.getByRole('button', { name, exact: true }).click() })
  })

const members = async (room) => (await minsu.api('GET', `/rooms/${room}`)).members.map(({ name, role }) => `${name} ${role}`).sort()

test('people are invited, called, made owners, talked to and removed', async () => {
  const room = await minsu.room('점심', { kind: 'private', members: [ada.user] })
  await beside(room, '참여자', async ({ page, aside, press }) => {
    await press('초대하기')
    await press('지원: 초대')
    await until(async () => (await members(room)).includes('지원 member'), 'Jiwon is in')
    await press('초대하기')

    const jiwonRow = aside.getByRole('button', { name: /^지원/ })
    await jiwonRow.click()
    await press('방장으로 세우기')
    await until(async () => (await members(room)).includes('지원 owner'), 'Jiwon is an owner')
    await aside.getByRole('button', { name: /^지원.*방장$/ }).waitFor()
    await press('부르기')
    await until(async () => (await page.field.inputValue()) === '@지원 ', 'the name is in the field')
    await press('내보내기')
    assert.ok((await members(room)).includes('지원 owner'), 'it asks first')
    await press('내보내기')
    await jiwonRow.waitFor({ state: 'detached' })
    assert.deepEqual(await members(room), ['Ada member', '민수 owner'])

    await aside.getByRole('button', { name: /^Ada/ }).click()
    await press('다이렉트 메시지')
    await until(async () => (await page.title()).startsWith('Ada'), 'the direct message is in view')
  })
})

test('a room is renamed and described; what is refused is said in a sentence', async () => {
  await minsu.room('있는 방')
  const room = await minsu.room('새 방')
  await beside(room, '대화방 설정', async ({ page, aside, press }) => {
    await aside.getByLabel('방 이름').fill('있는 방')
    await press('저장')
    await aside.getByRole('alert').filter({ hasText: '이미 쓰는 이름이에요. ‘있는 방 2’ 어때요?' }).waitFor()
    await aside.getByLabel('방 이름').fill('산책')
    await aside.getByLabel('주제').fill('저녁마다 강가에서')
    await aside.getByRole('radio', { name: '방장만' }).check()
    await press('저장')
    await aside.getByText('저장했어요.').waitFor()
    await page.locator('.topic').getByText('저녁마다 강가에서').waitFor()
    const { name, topic, post } = await minsu.api('GET', `/rooms/${room}`)
    assert.deepEqual([name, topic, post], ['산책', '저녁마다 강가에서', 'owners'])

    await press('방 보관하기')
    await press('방 보관하기')
    await press('다시 열기')
    await aside.getByLabel('방 이름').waitFor()

    await press('방에서 나가기')
    await press('방에서 나가기')
    await until(async () => (await page.title()).startsWith('lobby') || (await page.title()).startsWith('로비'), 'the lobby is in view')
    await aside.waitFor({ state: 'detached' })
  })
})

test('a webhook’s address is shown once, and gone when it is revoked', async () => {
  const room = await minsu.room('알림')
  await beside(room, '대화방 설정', async ({ page, aside, press }) => {
    await aside.getByLabel('어떤 이름으로 쓸까요?').fill('날씨봇')
    await press('주소 만들기')
    const url = await aside.locator('input[readonly]').inputValue()
    assert.equal((await fetch(url, { method: 'POST', body: '맑음' })).status, 200)
    await page.log.getByText('맑음').waitFor()
    await press('복사')
    await press('복사했어요')
    await press('없애기')
    await press('없애기')
    await aside.getByText('날씨봇', { exact: true }).waitFor({ state: 'detached' })
    assert.equal((await fetch(url, { method: 'POST', body: '흐림' })).status, 404)
  })
})

test('pins are listed as they change, and lead to where they stand', async () => {
  const room = await minsu.room('모음', { members: [ada.user] })
  const m = await ada.say('열쇠는 화분 밑에', { room })
  await beside(room, '고정한 메시지', async ({ page, aside, press }) => {
    await aside.getByText('아직 고정한 메시지가 없어요.').waitFor()
    await ada.change(m, 'pin', {}, room)
    await aside.getByText('열쇠는 화분 밑에').waitFor()
    await ada.change(m, 'edit', { text: '열쇠는 우편함에' }, room)
    await aside.getByText('열쇠는 우편함에').waitFor()
    await press('그 자리로 가기')
    await until(() => page.evaluate((hash) => location.hash === hash, `#/${room}/${m}`), 'the address leads to it')
    await press('고정 풀기')
    await aside.getByText('아직 고정한 메시지가 없어요.').waitFor()
    await aside.press('Escape')
    await aside.waitFor({ state: 'detached' })
  })
})

test('who doesn’t own a room reads its settings, and may leave', async () => {
  const room = await ada.room('남의 방', { members: [minsu.user] })
  await beside(room, '대화방 설정', async ({ aside, press }) => {
    await aside.getByText('방장이 바꿀 수 있어요.').waitFor()
    assert.equal(await aside.getByRole('textbox').count(), 0)
    await press('방에서 나가기')
    await press('방에서 나가기')
    await aside.waitFor({ state: 'detached' })
    assert.equal((await ada.api('GET', `/rooms/${room}`)).members.length, 1)
  })
})
