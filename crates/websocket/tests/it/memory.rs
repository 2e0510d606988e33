//! What a peer can make a connection take: counted by an allocator, thread by thread.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use damso_websocket::Status;

use crate::deflate::{NO_TAKEOVER, TAKEOVER};
use crate::peer::{End, hex};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread that is ending counts no longer.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        if bytes > 0 {
            ALLOCATIONS.set(ALLOCATIONS.get() + 1);
            PEAK.set(PEAK.get().max(live.get()));
        }
    });
}

// SAFETY: every call goes to the system's allocator, unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the same contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller keeps the same contract, and `pointer` came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// How many allocations `f` makes, how many bytes it leaves behind, and how many it owns at most at
/// one time.
fn measure<T>(f: impl FnOnce() -> T) -> (T, usize, isize, isize) {
    let (allocations, live) = (ALLOCATIONS.get(), LIVE.get());
    PEAK.set(live);
    let result = f();
    (result, ALLOCATIONS.get() - allocations, LIVE.get() - live, PEAK.get() - live)
}

/// Hears bytes and counts events, without taking memory for either.
fn hear(end: &mut End, bytes: &mut [u8]) -> usize {
    let mut input = end.connection.receive(bytes, end.now);
    let mut events = 0;
    while input.next().is_some() {
        events += 1;
    }
    events
}

#[test]
fn whole_messages_take_no_memory() {
    let mut server = End::server();
    let mut bytes =
        hex("81 85 00000000 6162636465  82 81 00000000 ff  8a 80 00000000").repeat(1000);
    let (events, allocations, ..) = measure(|| hear(&mut server, &mut bytes));
    assert_eq!((events, allocations), (3000, 0));
}

#[test]
fn a_claimed_length_takes_no_memory() {
    for header in [
        "82 ff 0000000000011170 00000000 61",
        "02 ff 0000000000011170 00000000 61",
        "82 ff 0000000000011170 000000",
    ] {
        let mut server = End::server();
        let mut bytes = hex(header);
        let (_, _, left, peak) = measure(|| hear(&mut server, &mut bytes));
        assert!(left < 400 && peak < 400, "{left} {peak}");
    }
}

#[test]
fn an_idle_connection_owns_no_memory() {
    for agreed in [None, Some(NO_TAKEOVER)] {
        let talk = |server: &mut End| {
            for bytes in [
                "81 82 00000000 61",
                "61",
                "81 81 0000",
                "0000 61",
                "01 81 00000000 61",
                "89 81 00000000 61",
                "80 80 00000000",
            ] {
                hear(server, &mut hex(bytes));
            }
            if agreed.is_some() {
                hear(server, &mut hex("c1 87 00000000 f248cdc9c90700"));
            }
            server.connection.send_text(&"a".repeat(1000)).unwrap();
            let waiting = server.connection.output().len();
            server.connection.sent(waiting);
            assert_eq!(server.status(), Status::Open);
        };
        let server = || End::server_with(crate::peer::config(), agreed);
        // The first one's inflater and deflater stay with the thread, for all that follow.
        talk(&mut server());
        let mut server = server();
        let ((), allocations, left, _) = measure(|| talk(&mut server));
        assert!(allocations > 0);
        assert_eq!(left, 0);
    }
}

#[test]
fn a_bomb_takes_little_more_than_the_limit() {
    let mut deflated = Vec::new();
    damso_websocket::deflate::Deflater::new(9, 15).message(&vec![0; 50_000_000], &mut deflated);
    let mut frame = Vec::new();
    let opcode = damso_websocket::Opcode::Binary;
    damso_websocket::frame::write_header(
        &mut frame,
        true,
        true,
        opcode,
        None,
        deflated.len() as u64,
    );
    frame.extend(&deflated);
    let mut client = End::client_with(crate::peer::config(), Some(TAKEOVER));
    let (_, _, _, peak) = measure(|| hear(&mut client, &mut frame));
    // The limit is 100,000 bytes; the inflater has a window of 32 KiB and tables.
    assert!(peak < 300_000, "{peak}");
}

#[test]
fn pings_that_nobody_reads_the_answers_of_take_little_memory() {
    let mut server = End::server();
    let ping = hex(&format!("89 fd 00000000 {}", "61".repeat(125)));
    let mut bytes = ping.repeat(10_000);
    let (_, _, left, peak) = measure(|| hear(&mut server, &mut bytes));
    assert!(left < 8192 && peak < 8192, "{left} {peak}");
}
