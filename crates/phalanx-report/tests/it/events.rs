//! Event files for TensorBoard, read back record by record.
use std::path::Path;

use phalanx_report::load;
use phalanx_report::tensorboard::write_events;

use crate::sample::{Sample, fresh, run};

/// CRC-32C bit by bit, from its polynomial.
fn crc(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0x82f6_3b78 } else { sum >> 1 };
        }
    }
    !sum
}

fn masked(bytes: &[u8]) -> u32 {
    let sum = crc(bytes);
    sum.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The events of a file; framing and checksums are checked.
fn events(path: &Path) -> Vec<Vec<u8>> {
    let file = std::fs::read(path).unwrap();
    let mut rest = file.as_slice();
    let mut events = Vec::new();
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        let word = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().unwrap());
        assert_eq!(word(8), masked(&rest[..8]));
        let event = rest[12..12 + length].to_vec();
        assert_eq!(word(12 + length), masked(&event));
        events.push(event);
        rest = &rest[16 + length..];
    }
    events
}

#[test]
fn every_score_of_every_evaluation_is_an_event() {
    let folder = Sample::small().write("events");
    let runs = load(&[run(&folder, "averaging-attacked")]).unwrap();
    let paths = write_events(&fresh("events-out"), &runs).unwrap();
    let events = events(&paths[0]);
    // Two scores at five evaluations and the loss of eight rounds, mean and worst of each.
    assert_eq!(events.len(), 1 + 2 * (2 * 5 + 8));
    assert!(events[0].ends_with(b"brain.Event:2"));
    let tag = b"\x0a\x0eaccuracy/worst\x15";
    let has_tag = |event: &&Vec<u8>| event.windows(tag.len()).any(|part| part == tag);
    let found: Vec<&Vec<u8>> = events.iter().filter(has_tag).collect();
    assert_eq!(found.len(), 5);
    let last = found[4];
    let value = f32::from_le_bytes(last[last.len() - 4..].try_into().unwrap());
    assert_eq!(value, runs[0].summary.scores["accuracy"].worst as f32);
    // Round 8 at 8 × 42.3 ms, and 2 ns for node 2, the last one.
    let time = f64::from_le_bytes(last[1..9].try_into().unwrap());
    assert_eq!(time, 338_400_002.0 / 1e9);
    assert_eq!(last[9..11], [0x10, 8]);
}

#[test]
fn runs_with_long_names_that_begin_alike_do_not_overwrite_each_other() {
    let folder = Sample::small().write("events-long");
    let long = "a".repeat(120);
    for seed in [1, 2] {
        let one = folder.join(format!("averaging-attacked-0001beef-s{seed}"));
        std::fs::rename(one, folder.join(format!("{long}-0001beef-s{seed}"))).unwrap();
    }
    let runs = load(&[folder]).unwrap();
    let paths = write_events(&fresh("events-long-out"), &runs).unwrap();
    let distinct: std::collections::BTreeSet<_> = paths.iter().collect();
    assert_eq!(distinct.len(), 4);
}
