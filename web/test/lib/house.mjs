import { bot } from './bot.mjs'

const CODE = {
  ko: '이렇게 하면 왜 안 되는지 알 것 같아요.\n\n```js\nfunction unread({ n, readn }) {\n  // 안 읽은 메시지의 수\n  return Math.max(0, n - readn)\n}\n```\n\n`readn`이 없을 때가 있더라고요.',
  en: 'I think I see why this can’t work.\n\n```js\nfunction unread({ n, readn }) {\n  // how many weren’t read\n  return Math.max(0, n - readn)\n}\n```\n\n`readn` may be missing.',
}

/** What is said in the room of the pictures: `[who, text, more]`; `as` names a message, `to` is the one that it answers. */
const TALK = {
  ko: [
    ['지원', '좋은 아침이에요! 어제 이야기한 목록, 정리해 봤어요.', { as: 'list', hearts: ['👍', '🎉'] }],
    ['지원', '1. 알림은 **멘션과 다이렉트 메시지만**\n2. 검색은 초성으로도\n3. 나가 있던 동안의 글은 *한 번에* 보여 주기'],
    ['영희', '> 나가 있던 동안의 글은 한 번에\n\n이게 제일 좋네요. 저는 [지난번 회의록](https://example.com/notes/2026-11)도 같이 봤어요.'],
    ['민수', '저도요. 초성 검색은 제가 해 볼게요 🙋', { hearts: ['👍'] }],
    ['Ada', 'Sorry, just got in. Is the list final, or may I add something?', { to: 'list' }],
    ['지원', CODE.ko, { as: 'code' }],
    ['영희', '아, 그래서 숫자가 **-1**로 나왔군요. 고쳐 주셔서 고마워요!', { to: 'code', hearts: ['❤️', '👀'] }],
    ['지원', '방금 올린 걸 조금 고쳤어요', { edited: '방금 올린 걸 조금 고쳤어요. 이제 음수는 나오지 않아요.' }],
    ['영희', '이건 잘못 올렸네요', { deleted: true }],
    ['민수', '점심은 12시 반, 1층에서 만나요. 늦으면 먼저 드세요.', { pinned: true, hearts: ['🍜', '👍', '🎉'] }],
    ['Ada', 'https://example.com/a/very/long/address/that/does/not/fit/into/one/line?of=a&narrow=screen&and=has&to=be&broken=somewhere'],
    ['영희', '네! 그런데 혹시 회의실 예약하신 분 계세요? 3시에 큰 회의실이 비어 있는지 확인하고 싶은데, 달력에는 아무것도 안 보여서요. 없으면 제가 잡을게요.', { unread: true }],
    ['지원', '@민수 님이 하신다고 들었어요', {}],
    ['지원', '확인 부탁드려요 🙏', { hearts: ['👀'] }],
    ['Ada', 'I can take notes this time.', {}],
  ],
  en: [
    ['June', 'Good morning! I wrote down the list we talked about yesterday.', { as: 'list', hearts: ['👍', '🎉'] }],
    ['June', '1. Notify for **mentions and direct messages only**\n2. Search by first consonants too\n3. Show what was said meanwhile *all at once*'],
    ['Grace', '> Show what was said meanwhile all at once\n\nThat one I like best. I read [the last minutes](https://example.com/notes/2026-11) again too.'],
    ['Ada', 'So do I. I’ll try the consonants 🙋', { hearts: ['👍'] }],
    ['민수', '이제 들어왔어요. 목록에 하나 더해도 될까요?', { to: 'list' }],
    ['June', CODE.en, { as: 'code' }],
    ['Grace', 'Ah, that’s where the **-1** came from. Thanks for mending it!', { to: 'code', hearts: ['❤️', '👀'] }],
    ['June', 'I changed what I just put up', { edited: 'I changed what I just put up a little. No negative numbers any more.' }],
    ['Grace', 'Wrong room, sorry', { deleted: true }],
    ['Ada', 'Lunch at half past twelve, ground floor. Don’t wait if I’m late.', { pinned: true, hearts: ['🍜', '👍', '🎉'] }],
    ['민수', 'https://example.com/a/very/long/address/that/does/not/fit/into/one/line?of=a&narrow=screen&and=has&to=be&broken=somewhere'],
    ['Grace', 'Sure! Has anybody booked a room, by the way? I wanted to see whether the large one is free at three, but the calendar shows nothing at all. If nobody has, I will.', { unread: true }],
    ['June', 'I heard that @Ada would', {}],
    ['June', 'Could you check? 🙏', { hearts: ['👀'] }],
    ['민수', '이번 회의록은 제가 쓸게요.', {}],
  ],
}

const NAMES = {
  ko: { me: '민수', people: ['지원', '영희', 'Ada'], rooms: ['개발', '점심 모임', '공지', '운영'], topic: '이번 판에 들어갈 것들 · 급한 일은 전화로', hello: ['안녕하세요, 처음 들어왔어요.', '어서 오세요!'] },
  en: { me: 'Ada', people: ['June', 'Grace', '민수'], rooms: ['workshop', 'Lunch', 'News', 'Back office'], topic: 'What goes into the next version · call if it burns', hello: ['Hi all, first time here.', 'Welcome!'] },
}

/**
 * Fills a server that is new and holds nobody to a rate: people, rooms of each kind, and a conversation that has all
 * that a conversation can have. → the key and name to enter with, the rooms' ids by kind, and the ids of messages
 */
export async function furnish(url, lang) {
  const { me: name, people, rooms, topic, hello } = NAMES[lang]
  const all = {}
  for (const who of [name, ...people]) all[who] = await bot(url, who)
  const me = all[name]
  const others = people.map((who) => all[who])
  const ids = {}
  const kinds = ['public', 'public', 'announcement', 'private']
  for (const [i, room] of rooms.entries()) {
    const owner = others[i % 2]
    const id = await owner.room(room, { kind: kinds[i] })
    for (const one of [me, ...others]) if (one !== owner) await owner.api('PUT', `/rooms/${id}/members/${one.user}`)
    ids[i === 1 ? 'lunch' : i ? kinds[i] : 'main'] = id
  }
  await others[0].api('PATCH', `/rooms/${ids.main}`, { topic })
  ids.direct = await others[0].room(undefined, { kind: 'direct', members: [me.user] })

  const said = {}
  let read = 0
  for (const [who, text, more = {}] of TALK[lang]) {
    if (more.unread) read = (await me.open(ids.main)).head
    const room = ids.main
    const m = await all[who].say(text, { room, reply: said[more.to] })
    if (more.as) said[more.as] = m
    for (const [i, emoji] of (more.hearts ?? []).entries()) {
      for (const one of others.slice(0, 3 - i)) await one.react(m, emoji, room)
      if (i === 0) await me.react(m, emoji, room)
    }
    if (more.edited) await all[who].change(m, 'edit', { text: more.edited }, room)
    if (more.deleted) await all[who].change(m, 'delete', {}, room)
    if (more.pinned) await others[0].change(m, 'pin', {}, room), (said.pinned = m)
  }
  await me.ask({ t: 'read', room: ids.main, seq: read })
  await others[1].say(hello[0])
  await others[0].say(hello[1])
  await others[0].say(lang === 'ko' ? '오늘은 국수 어때요?' : 'Noodles today?', { room: ids.lunch })
  await others[0].say(lang === 'ko' ? '토요일 밤에 서버를 옮깁니다.' : 'The server moves on Saturday night.', { room: ids.announcement })
  await others[0].say(lang === 'ko' ? '잠깐 통화 괜찮으세요?' : 'Do you have a minute?', { room: ids.direct })
  return { name, key: me.key, me, others, rooms: ids, said, close: () => Object.values(all).forEach((one) => one.close()) }
}
