const ko = {
  title: '담소',
  welcome: '무엇이라고 불러 드릴까요?',
  name: '이름',
  hint: '이름만 정하면 바로 이야기할 수 있어요.',
  enter: '들어가기',
  rooms: '대화방',
  direct: '다이렉트 메시지',
  find: '찾기',
  close: '닫기',
  lobby: '로비',
  connecting: '서버에 연결하고 있어요.',
  reconnecting: '다시 연결하고 있어요. 쓰신 글은 연결되는 대로 보내 드려요.',
  'catching-up': '그동안의 이야기를 가져오고 있어요.',
  stopped_banned: '이 채팅에 들어올 수 없게 되었어요.',
  stopped_sign_in_again: '다시 들어와 주세요.',
}

/** @type {typeof ko} */
const en = {
  title: 'damso',
  welcome: 'What shall we call you?',
  name: 'Name',
  hint: 'A name is all it takes to start talking.',
  enter: 'Come in',
  rooms: 'Rooms',
  direct: 'Direct messages',
  find: 'Find',
  close: 'Close',
  lobby: 'lobby',
  connecting: 'Connecting to the server.',
  reconnecting: 'Reconnecting. What you write will be sent then.',
  'catching-up': 'Catching up on what was said meanwhile.',
  stopped_banned: 'You can’t come into this chat any more.',
  stopped_sign_in_again: 'Please come in again.',
}

export default { ko, en }
