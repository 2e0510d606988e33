//! Each message as text, there and back.

use super::client::{Anchor, ClientMessage, History};
use super::server::{Mention, ServerMessage};
use super::{ErrorCode, client, server};
use crate::{Nonce, RoomId, UserId};
use serde::Serialize;
use serde::de::DeserializeOwned;

#[track_caller]
fn there_and_back<T: Serialize + DeserializeOwned>(text: &str) {
    let message: T = serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(serde_json::to_string(&message).unwrap(), text);
}

#[test]
fn every_message_of_a_client_reads_as_it_is_written() {
    for text in [
        r#"{"t":"hello","id":1,"token":"abc","agent":"damso/0.1"}"#,
        r#"{"t":"hello","id":1,"key":"k","name":"철수","agent":"page","lang":"ko","epoch":"e1"}"#,
        r#"{"t":"open","id":2,"room":"lobby"}"#,
        r#"{"t":"open","id":2,"room":"lobby","after":0,"limit":50,"max":500}"#,
        r#"{"t":"close","id":3,"room":"lobby"}"#,
        r#"{"t":"send","id":4,"room":"lobby","nonce":"n-1","text":"안녕"}"#,
        r#"{"t":"send","id":4,"room":"lobby","nonce":"n-1","text":"안녕","reply":7}"#,
        r#"{"t":"change","id":5,"room":"lobby","m":7,"nonce":"n-2","op":"edit","text":"x"}"#,
        r#"{"t":"change","id":5,"room":"lobby","m":7,"nonce":"n-2","op":"delete"}"#,
        r#"{"t":"change","id":5,"room":"lobby","m":7,"nonce":"n-2","op":"react","emoji":"👍"}"#,
        r#"{"t":"change","id":5,"room":"lobby","m":7,"nonce":"n-2","op":"unreact","emoji":"👍"}"#,
        r#"{"t":"change","id":5,"room":"lobby","m":7,"nonce":"n-2","op":"pin"}"#,
        r#"{"t":"change","id":5,"room":"lobby","m":7,"nonce":"n-2","op":"unpin"}"#,
        r#"{"t":"read","id":6,"room":"lobby","seq":9}"#,
        r#"{"t":"history","id":7,"room":"lobby","before":9,"limit":100}"#,
        r#"{"t":"history","id":7,"room":"lobby","after":9,"limit":100}"#,
        r#"{"t":"history","id":7,"room":"lobby","around":9,"limit":100}"#,
        r#"{"t":"watch","id":8,"users":["u1","u2"]}"#,
        r#"{"t":"typing","room":"lobby"}"#,
        r#"{"t":"pong"}"#,
    ] {
        there_and_back::<ClientMessage>(text);
    }
}

#[test]
fn every_message_of_a_server_reads_as_it_is_written() {
    for text in [
        concat!(
            r#"{"t":"welcome","v":1,"epoch":"e1","user":"u1","name":"철수","rooms":["#,
            r#"{"id":"lobby","name":"lobby","kind":"public","head":9,"n":5,"read":3,"readn":2,"#,
            r#""mentions":1,"notify":"mentions","role":"member","post":"everybody"},"#,
            r#"{"id":"d1","kind":"direct","head":0,"n":0,"read":0,"readn":0,"mentions":0,"#,
            r#""notify":"all","role":"owner","post":"owners"}],"#,
            r#""limits":{"frame_bytes":65536,"text_chars":8000,"send_burst":10,"#,
            r#""send_per_second":1.0,"commands_burst":60,"commands_per_second":5.0,"#,
            r#""commands_in_flight":16,"open_rooms":50,"connections_per_user":20,"#,
            r#""silent_seconds":60},"features":["x"],"ping":25000,"server":"damso/0.1"}"#
        ),
        r#"{"t":"ok","id":1}"#,
        r#"{"t":"ok","id":1,"m":7,"at":1700000000000}"#,
        r#"{"t":"ok","id":1,"seq":8}"#,
        r#"{"t":"ok","id":1,"head":9,"n":5,"first":1,"mode":"replay"}"#,
        concat!(
            r#"{"t":"ok","id":1,"head":9,"n":5,"first":1,"mode":"reset","messages":["#,
            r#"{"m":7,"n":4,"rev":7,"by":"u1","name":"철수","at":1,"text":"안녕"},"#,
            r#"{"m":8,"n":5,"rev":9,"by":"u2","name":"b","at":2,"text":"x","edited":true,"#,
            r#""reply":7,"mentions":["u1","@room","@here"],"#,
            r#""reactions":[["👍",2,true],["❤",1,false]],"pinned":true,"nonce":"n1"}],"gap":[3,7]}"#
        ),
        concat!(
            r#"{"t":"ok","id":1,"first":1,"messages":["#,
            r#"{"m":7,"n":4,"rev":9,"by":"u1","name":"a","at":1,"deleted":true}],"#,
            r#""asof":9,"more":false}"#
        ),
        r#"{"t":"ok","id":1,"online":["u1"]}"#,
        r#"{"t":"err","id":1,"code":"rate_limited","msg":"too fast","retry":900}"#,
        r#"{"t":"err","id":1,"code":"name_taken","msg":"taken","suggest":"철수2"}"#,
        r#"{"t":"err","code":"bad_json","msg":"no JSON"}"#,
        concat!(
            r#"{"t":"msg","room":"lobby","seq":8,"n":5,"by":"u1","name":"철수","at":1,"#,
            r#""text":"안녕","reply":7,"mentions":["u2"],"nonce":"n1"}"#
        ),
        r#"{"t":"msg","room":"lobby","seq":8,"n":5,"by":"u1","name":"철수","at":1}"#,
        concat!(
            r#"{"t":"change","room":"lobby","seq":9,"m":8,"op":"edit","by":"u1","name":"a","#,
            r#""at":1,"text":"x","nonce":"n1"}"#
        ),
        concat!(
            r#"{"t":"change","room":"lobby","seq":9,"m":8,"op":"react","by":"u1","name":"a","#,
            r#""at":1,"emoji":"👍","nonce":"n1"}"#
        ),
        r#"{"t":"room","room":"r1","seq":1,"what":"create","by":"u1","name":"a","at":1}"#,
        concat!(
            r#"{"t":"room","room":"r1","seq":2,"what":"role","user":"u2","by":"u1","name":"a","#,
            r#""text":"owner","at":1}"#
        ),
        r#"{"t":"room","room":"r1","what":"leave"}"#,
        concat!(
            r#"{"t":"room","room":"r1","what":"join","entry":{"id":"r1","name":"r","#,
            r#""kind":"announcement","head":1,"n":0,"read":0,"readn":0,"mentions":0,"#,
            r#""notify":"nothing","role":"member","post":"owners"}}"#
        ),
        r#"{"t":"bump","rooms":[["lobby",9,5,0],["d1",3,3,1]]}"#,
        concat!(
            r#"{"t":"bump","rooms":[["d1",3,3,1]],"#,
            r#""preview":{"room":"d1","m":3,"by":"u1","name":"a","text":"x"}}"#
        ),
        r#"{"t":"seen","room":"lobby","seq":9}"#,
        r#"{"t":"seen","room":"lobby","seq":9,"readn":5}"#,
        r#"{"t":"typing","room":"lobby","user":"u1"}"#,
        r#"{"t":"presence","on":["u1"],"off":[]}"#,
        r#"{"t":"ping"}"#,
        r#"{"t":"bye","code":1012,"msg":"restart","retry":3000}"#,
    ] {
        there_and_back::<ServerMessage>(text);
    }
}

#[test]
fn what_a_later_version_adds_does_no_harm() {
    let text = r#"{"t":"seen","room":"lobby","seq":9,"new":{"a":[1]}}"#;
    assert!(matches!(serde_json::from_str(text), Ok(ServerMessage::Seen(_))));
    let text = r#"{"t":"pong","new":1}"#;
    assert!(matches!(serde_json::from_str(text), Ok(ClientMessage::Pong)));
    let text = r#"{"t":"err","code":"newer","msg":"x"}"#;
    let failure: server::Failure = serde_json::from_str(text).unwrap();
    assert_eq!(failure.code, ErrorCode::Unknown);
    let text = r#"{"t":"room","room":"r1","seq":5,"what":"newer"}"#;
    let event: server::RoomEvent = serde_json::from_str(text).unwrap();
    assert_eq!(event.what, server::What::Unknown);
    let text = r#"{"t":"newer","room":"lobby","seq":9,"x":1}"#;
    assert!(serde_json::from_str::<ServerMessage>(text).is_err());
    let head: server::Head<'_> = serde_json::from_str(text).unwrap();
    assert_eq!((head.room, head.seq), (Some(RoomId::lobby()), Some(9)));
}

#[test]
fn a_head_tells_what_was_asked_before_the_fields_are_right() {
    let text = r#"{"t":"send","id":4,"room":5}"#;
    let head: client::Head<'_> = serde_json::from_str(text).unwrap();
    assert_eq!((&*head.t, head.id), ("send", Some(4)));
    assert!(serde_json::from_str::<client::Send>(text).is_err());
    let escaped: client::Head<'_> = serde_json::from_str(r#"{"t":"\u0073end"}"#).unwrap();
    assert_eq!(escaped.t, "send");
    let no_json = serde_json::from_str::<client::Head<'_>>("hello").unwrap_err();
    assert!(!no_json.is_data());
    let no_kind = serde_json::from_str::<client::Head<'_>>("{}").unwrap_err();
    assert!(no_kind.is_data());
}

#[test]
fn an_error_travels_as_it_is_called() {
    for code in [
        ErrorCode::NameTaken,
        ErrorCode::BadJson,
        ErrorCode::BadType,
        ErrorCode::BadField,
        ErrorCode::TooBig,
        ErrorCode::Unauthorized,
        ErrorCode::Forbidden,
        ErrorCode::NotFound,
        ErrorCode::Gone,
        ErrorCode::Muted,
        ErrorCode::SlowMode,
        ErrorCode::RateLimited,
        ErrorCode::NonceReused,
        ErrorCode::Full,
        ErrorCode::Unavailable,
        ErrorCode::Internal,
    ] {
        assert_eq!(serde_json::to_string(&code).unwrap(), format!("\"{code}\""));
        there_and_back::<ErrorCode>(&format!("\"{code}\""));
    }
}

#[test]
fn a_page_is_asked_for_at_one_place() {
    for anchor in [Anchor::Before(3), Anchor::After(3), Anchor::Around(3)] {
        assert_eq!(History::at(1, RoomId::lobby(), anchor, 50).anchor(), Some(anchor));
    }
    let none = r#"{"id":1,"room":"lobby","limit":5}"#;
    let two = r#"{"id":1,"room":"lobby","before":3,"after":3,"limit":5}"#;
    for text in [none, two] {
        assert_eq!(serde_json::from_str::<History>(text).unwrap().anchor(), None);
    }
}

#[test]
fn a_mention_calls_one_or_everybody() {
    let (one, other) = (UserId::new("u1"), UserId::new("u2"));
    assert!(Mention::user(&one).calls(&one));
    assert!(!Mention::user(&one).calls(&other));
    assert!(Mention::room().calls(&other) && Mention::here().calls(&other));
}

#[test]
fn a_nonce_is_made_of_plain_characters() {
    for nonce in ["a", "A-z_9", &"x".repeat(64)] {
        assert!(Nonce::new(nonce).is_well_formed(), "{nonce}");
    }
    for nonce in ["", "a b", "é", "a.b", &"x".repeat(65)] {
        assert!(!Nonce::new(nonce).is_well_formed(), "{nonce}");
    }
}
