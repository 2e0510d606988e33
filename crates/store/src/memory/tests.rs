use super::*;
use crate::tests::{change, guest, say};
use damso_chat::{Op, Refusal};

#[test]
fn within_a_batch_each_entry_is_judged_after_the_ones_before() {
    let mut log = Memory::new();
    let batch = vec![
        say(&guest(1), "x", Some("n")),
        say(&guest(1), "x", Some("n")),
        say(&guest(1), "y", Some("n")),
        say(&guest(1), "z", None),
    ];
    let outcomes = log.append(batch, 7).unwrap();
    assert!(matches!(&outcomes[0], Ok(Decision::New(Event::Message(message))) if message.seq == 1));
    assert!(matches!(&outcomes[1], Ok(Decision::Repeated(first)) if first.seq == 1));
    assert_eq!(outcomes[2], Err(Refusal::NonceReused));
    assert!(matches!(&outcomes[3], Ok(Decision::New(Event::Message(message))) if message.seq == 2));
    assert_eq!(log.state().room(&RoomId::lobby()).unwrap().head, 2);
}

#[test]
fn time_never_goes_back() {
    let mut log = Memory::new();
    log.append(vec![say(&guest(1), "x", None)], 100).unwrap();
    let outcomes = log.append(vec![say(&guest(1), "y", None)], 50).unwrap();
    assert!(
        matches!(&outcomes[0], Ok(Decision::New(Event::Message(message))) if message.at == 100)
    );
}

#[test]
fn what_is_too_much_is_forgotten_and_said_to_be() {
    let mut log = Memory::bounded(100_000);
    let lobby = RoomId::lobby();
    assert_eq!(log.first(&lobby), 1);
    let text = "x".repeat(1_000);
    for number in 0..1_000 {
        log.append(vec![say(&guest(1), &text, None)], number).unwrap();
    }
    let first = log.first(&lobby);
    assert!((900..1_000).contains(&first), "{first}");
    assert!(log.events(&lobby, first - 2, 1_000).is_err(), "a replay with a hole is none");
    let events = log.events(&lobby, first - 1, 1_000).unwrap();
    assert_eq!(events[0].place(), Some((&lobby, first)));
    assert_eq!(events.len() as u64, 1_001 - first);
    let ask = Ask { room: lobby.clone(), part: Part::Around(3), limit: 2, first: 1, head: 1_000 };
    let page = log.page(&ask).unwrap();
    assert_eq!((page.first, page.asof), (first, 1_000));
    assert_eq!(page.messages[0].message.seq, first);
    // Numbers go on, and what is gone can't be changed.
    assert_eq!(log.past.messages_up_to(&lobby, first), first);
    assert_eq!(log.past.messages_up_to(&lobby, 1), first - 1);
    let outcomes = log.append(vec![change(&guest(1), "lobby", 1, "c", Op::Delete)], 1_000);
    assert_eq!(outcomes.unwrap(), [Err(Refusal::NotFound)]);
    assert!(log.past.bytes <= 100_000);
}

#[test]
fn what_is_counted_as_kept_is_what_is_there() {
    let mut log = Memory::bounded(20_000);
    for number in 0..300_u64 {
        let said = 1 + number / 3 * 3;
        let op = match number % 3 {
            0 => {
                log.append(vec![say(&guest(1), "hello", None)], number).unwrap();
                continue;
            }
            1 => Op::Edit(Some(format!("text {number}").into())),
            _ if number % 2 == 0 => Op::Delete,
            _ => Op::React("👍".into()),
        };
        let nonce = format!("n{number}");
        log.append(vec![change(&guest(1), "lobby", said, &nonce, op)], number).unwrap();
    }
    assert!(log.first(&RoomId::lobby()) > 1);
    let bytes = log.past.bytes;
    while log.past.bytes > 0 {
        let before = log.past.bytes;
        log.past.forget(before - 1);
    }
    assert!(bytes <= 20_000);
    let room = &log.past.rooms[&RoomId::lobby()];
    assert_eq!((room.bytes(), room.first()), (0, 301));
    assert_eq!(room.messages_up_to(1), 100);
}
