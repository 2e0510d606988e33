//! A client that hears any bytes, whole and in pieces.
#![no_main]

#[allow(dead_code, reason = "each target uses one of its functions")]
#[path = "../../crates/websocket/tests/it/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::client_connection(bytes));
