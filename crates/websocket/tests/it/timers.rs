//! Pings, silence, deadlines.

use std::sync::Arc;
use std::time::{Duration, Instant};

use damso_websocket::{Cause, Config, Connection, Status, Timing};

use crate::peer::{End, Pair, Said, config, hex};

#[test]
fn a_silent_peer_is_pinged_once() {
    let mut server = End::server();
    server.wait(19);
    assert_eq!(server.says(), b"");
    server.wait(1);
    assert_eq!(server.says(), hex("89 00"));
    server.wait(30);
    assert_eq!(server.says(), b"");
    assert_eq!(server.status(), Status::Open);
}

#[test]
fn a_peer_that_stays_silent_is_dead() {
    let mut server = End::server();
    server.wait(59);
    assert_eq!(server.status(), Status::Open);
    server.wait(1);
    assert_eq!(server.status(), Status::Closed);
    assert_eq!(server.connection.output(), b"");
    let closed = server.connection.close_status().unwrap();
    assert_eq!((closed.cause, closed.code()), (Cause::Silent, 1006));
    assert_eq!(server.connection.timeout(), None);
}

#[test]
fn anything_heard_counts() {
    for bytes in ["8a 80 00000000", "81", "89 80 00000000"] {
        let mut server = End::server();
        server.wait(59);
        server.says();
        server.hears(&hex(bytes));
        server.says();
        server.wait(19);
        assert_eq!((server.says(), server.status()), (vec![], Status::Open));
        server.wait(1);
        assert_eq!(server.says(), hex("89 00"));
    }
    let mut server = End::server();
    server.wait(59);
    server.says();
    server.connection.touch(server.now);
    server.wait(59);
    assert_eq!(server.status(), Status::Open);
}

#[test]
fn two_living_ends_stay_open_for_ever() {
    let mut pair = Pair::new(config(), None);
    pair.wait(1000);
    assert_eq!((pair.server.status(), pair.client.status()), (Status::Open, Status::Open));
    let pings = pair.client.events.iter().filter(|said| matches!(said, Said::Ping(_))).count();
    assert!((40..=50).contains(&pings), "{pings}");
}

#[test]
fn jitter_spreads_pings_over_the_last_quarter() {
    let now = End::server().now;
    let ping = |jitter| {
        let connection = Connection::server(Arc::new(config()), None, now, jitter);
        (connection.timeout().unwrap() - now).as_millis()
    };
    assert_eq!(ping(0), 20_000);
    assert_eq!(ping(u32::MAX), 15_000);
    assert!((17_400..17_600).contains(&ping(u32::MAX / 2)));
}

#[test]
fn no_ping_comes_after_the_peer_counts_as_dead() {
    let timing = Timing { silent_max: Duration::from_secs(10), ..config().timing };
    let mut server = End::server_with(Config { timing, ..config() }, None);
    server.wait(9);
    assert_eq!(server.status(), Status::Open);
    server.wait(1);
    assert_eq!(server.status(), Status::Closed);
}

#[test]
fn a_duration_of_max_means_never() {
    let never = Duration::MAX;
    let timing = Timing { ping_after: never, silent_max: never, closing_max: never };
    let mut server = End::server_with(Config { timing, ..config() }, None);
    assert_eq!(server.connection.timeout(), None::<Instant>);
    server.wait(1 << 30);
    assert_eq!(server.status(), Status::Open);
}

#[test]
fn an_early_timeout_does_nothing() {
    let mut server = End::server();
    server.connection.handle_timeout(server.now + Duration::from_secs(19));
    assert_eq!(server.connection.output(), b"");
    assert_eq!(server.status(), Status::Open);
}
