/** Conversations for the pictures. */
export const SCENES = {
  ko: [
    '192.168.0.12:52114 :: 안녕하세요, 처음 들어왔습니다.',
    '192.168.0.31:49820 :: 어서 오세요! 오늘 발표 자료는 다 보셨어요?',
    '192.168.0.12:52114 :: 네, 어젯밤에 다 읽었어요.',
    '192.168.0.12:52114 :: 3장의 웹소켓 핸드셰이크 그림이 특히 좋았습니다. Sec-WebSocket-Accept 값을 어떻게 만드는지 이제야 이해했어요.',
    '민수 :: 저는 <b>태그</b>가 그대로 보이는지 시험해 봤는데, 괜찮네요 :)',
    'Administrator :: 점심시간에 서버를 잠깐 다시 시작합니다. 쓰시던 글은 그대로 두셔도 됩니다.',
    '지원 :: 네, 알겠습니다.\n    다시 시작한 뒤에도 이 창은 저절로 이어지는 거죠?',
    '192.168.0.31:49820 :: 맞아요. 그냥 두시면 돼요 ㅎㅎ',
    'damso :: 너무 빨리 보내셨습니다. 잠시 뒤에 다시 보내 주세요.',
    '민수 :: 그럼 12시 반에 1층에서 만나요',
  ],
  en: [
    '192.168.0.12:52114 :: Hi all, first time here.',
    '192.168.0.31:49820 :: Welcome! Did you get through the slides for today?',
    '192.168.0.12:52114 :: Yes, read them last night.',
    '192.168.0.12:52114 :: The drawing of the opening handshake in part three helped most: I finally see where Sec-WebSocket-Accept comes from.',
    'Ada :: I tried <b>markup</b> and it stays text, as it should :)',
    'Administrator :: The server restarts for a moment at noon. Leave what you are writing where it is.',
    'June :: Thanks.\n    And this window comes back by itself afterwards?',
    '192.168.0.31:49820 :: It does. Just leave it open.',
    'damso :: that was too fast, please try again in a moment',
    'Ada :: Then half past twelve, ground floor',
  ],
}
