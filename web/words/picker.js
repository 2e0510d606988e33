const ko = {
  title: '이모지 고르기',
  search: '이모지 찾기',
  hint: '웃음, ㅎㅌ, smile …',
  quick: '많이 쓰는 이모지',
  recent: '최근에 쓴 이모지',
  groups: ['표정', '사람과 몸', '동물과 자연', '음식', '여행과 장소', '활동', '물건', '기호', '깃발'],
  results: '찾은 이모지',
  none: '찾는 이모지가 없어요. 다른 말로 찾아보세요',
  missing: '이모지를 불러오지 못했어요. 연결된 뒤에 다시 열어 주세요',
}

/** @type {typeof ko} */
const en = {
  title: 'Choose an emoji',
  search: 'Search emoji',
  hint: 'smile, heart, 웃음 …',
  quick: 'Often used',
  recent: 'Recently used',
  groups: ['Smileys', 'People', 'Animals and nature', 'Food', 'Travel and places', 'Activities', 'Objects', 'Symbols', 'Flags'],
  results: 'Found',
  none: 'No emoji by that name. Try another word',
  missing: 'The emoji could not be loaded. Open this again once you are connected',
}

export default { ko, en }
