//! The fuzz targets' kept inputs (`fuzz/corpus`), as ordinary tests.

use std::fs;
use std::path::Path;

use crate::targets;

#[track_caller]
fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files = 0;
    for entry in fs::read_dir(&folder).expect("a corpus beside the target") {
        let path = entry.expect("a readable folder").path();
        println!("{}", path.display());
        run(&fs::read(&path).expect("a readable file"));
        files += 1;
    }
    assert!(files > 0, "{} is empty", folder.display());
}

#[test]
fn kept_request_heads_do_no_harm() {
    replay("request_head", targets::request_head);
}

#[test]
fn kept_bytes_do_a_server_no_harm() {
    replay("server_connection", targets::server_connection);
}

#[test]
fn kept_bytes_do_a_client_no_harm() {
    replay("client_connection", targets::client_connection);
}

#[test]
fn kept_deflate_data_does_no_harm() {
    replay("deflate", targets::deflate);
}
