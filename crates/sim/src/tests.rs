//! A few seeds; that a seed is the same run twice; and that the simulator has teeth: for each
//! guarantee a deliberate bug in its seams, which a few seeds must find.

use crate::bug::Bug;
use crate::{Rule, run, run_with};

/// How many seeds a bug may take to be found.
const SEEDS: u64 = 150;

fn check(seed: u64) {
    if let Some(failure) = run(seed, false).failure {
        panic!(
            "seed {seed}: {:?}: {}\n  cargo xtask sim --seed {seed}",
            failure.rule, failure.what
        );
    }
}

#[test]
fn what_is_promised_holds() {
    (0..40).for_each(check);
}

#[test]
fn what_was_found_once_stays_mended() {
    let seeds = include_str!("../tests/seeds.txt").lines();
    let seeds = seeds.filter_map(|line| line.split('#').next()?.trim().parse().ok());
    seeds.for_each(check);
}

#[test]
fn a_seed_is_one_run() {
    for seed in 0..4 {
        let (one, two) = (run(seed, true), run(seed, true));
        for (a, b) in one.trace.iter().zip(&two.trace) {
            assert_eq!(a, b, "seed {seed}");
        }
        assert_eq!(one.trace.len(), two.trace.len(), "seed {seed}");
    }
}

/// A bug is found, and called by one of these names. Under some seeds another rule may notice it
/// first: what a frame's length changes is enough for that.
#[track_caller]
fn bites(bug: Bug, rules: &[Rule]) {
    let mut others = Vec::new();
    for seed in 0..SEEDS {
        let Some(failure) = run_with(seed, false, Some(bug)).failure else { continue };
        if rules.contains(&failure.rule) {
            println!("{bug:?}: seed {seed}: {:?}: {}", failure.rule, failure.what);
            return;
        }
        others.push((seed, failure.rule));
    }
    panic!("{bug:?} isn't called {rules:?} in {SEEDS} seeds, only {others:?}");
}

#[test]
fn g1_an_order_that_is_not_the_logs_is_found() {
    bites(Bug::TextsSwapped, &[Rule::G1]);
}

/// The first sign of it is a frame that isn't there yet.
#[test]
fn g1_frames_in_another_order_are_found() {
    bites(Bug::FramesSwapped, &[Rule::G1, Rule::G3]);
}

#[test]
fn g2_an_acknowledgement_before_the_fsync_is_found() {
    bites(Bug::AckBeforeFsync, &[Rule::G2]);
}

#[test]
fn g3_a_frame_that_is_lost_is_found() {
    bites(Bug::FrameLost, &[Rule::G3]);
}

#[test]
fn g4_a_nonce_that_a_restart_forgets_is_found() {
    bites(Bug::NoncesForgotten, &[Rule::G4]);
}

#[test]
fn g5_a_message_without_its_nonce_is_found() {
    bites(Bug::NonceStripped, &[Rule::G5]);
}

#[test]
fn g6_an_ephemeral_notice_that_comes_twice_is_found() {
    bites(Bug::SeenTwice, &[Rule::G6]);
}

#[test]
fn g7_who_goes_on_hearing_a_room_it_left_is_found() {
    bites(Bug::StillHears, &[Rule::G7]);
}

#[test]
fn g7_a_past_that_is_not_for_the_reader_is_found() {
    bites(Bug::WholePast, &[Rule::G7]);
}

#[test]
fn g8_reading_that_a_restart_forgets_is_found() {
    bites(Bug::ReadsForgotten, &[Rule::G8]);
}

#[test]
fn a_credit_that_is_kept_is_found() {
    bites(Bug::CreditKept, &[Rule::Answers, Rule::Liveness]);
}
