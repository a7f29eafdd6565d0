//! Frames: every message comes back, and nothing else gets in.
use std::fmt::Debug;

use phalanx_protocol::{
    Attestation, Content, DirectMessage, Framed, GatherMessage, Limits, NodeId, NodeSet, Part,
    ReliableBroadcastMessage, SignedDigest, SignedEchoMessage, Turn, Vector, WireError, wire,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

const LIMITS: Limits = Limits { nodes: 9, dim: 3, bytes_max: 1000 };

fn turns() -> impl Strategy<Value = Turn> {
    any::<u64>().prop_map(Turn::from_bits)
}

fn vectors() -> impl Strategy<Value = Vector> {
    use proptest::num::f32::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    vec(NORMAL | SUBNORMAL | ZERO | POSITIVE | NEGATIVE, LIMITS.dim).prop_map(Vector::new)
}

fn nodes() -> impl Strategy<Value = NodeId> {
    any::<u16>().prop_map(NodeId)
}

fn digests() -> impl Strategy<Value = [u8; 32]> {
    any::<[u8; 32]>()
}

fn signatures() -> impl Strategy<Value = [u8; 64]> {
    vec(any::<u8>(), 64).prop_map(|bytes| bytes.try_into().unwrap())
}

fn direct() -> impl Strategy<Value = DirectMessage> {
    (turns(), vectors()).prop_map(|(turn, vector)| DirectMessage { turn, vector })
}

fn contents() -> impl Strategy<Value = Content> {
    prop_oneof![digests().prop_map(Content::Digest), vectors().prop_map(Content::Vector)]
}

fn reliable() -> impl Strategy<Value = ReliableBroadcastMessage> {
    let part = prop_oneof![
        vectors().prop_map(Part::Send),
        (nodes(), contents()).prop_map(|(sender, content)| Part::Echo { sender, content }),
        (nodes(), contents()).prop_map(|(sender, content)| Part::Ready { sender, content }),
        (nodes(), digests()).prop_map(|(sender, digest)| Part::Fetch { sender, digest }),
        (nodes(), vectors()).prop_map(|(sender, vector)| Part::Supply { sender, vector }),
    ];
    (turns(), part).prop_map(|(turn, part)| ReliableBroadcastMessage { turn, part })
}

fn attestations() -> impl Strategy<Value = Attestation> {
    (signatures(), any::<u16>(), vec(digests(), 0..=4)).prop_map(|(signature, index, path)| {
        Attestation { signature, index: index % (1 << path.len()), path }
    })
}

fn signed_echo() -> impl Strategy<Value = SignedEchoMessage> {
    prop_oneof![
        (turns(), vectors(), option::of(attestations())).prop_map(|(turn, vector, opening)| {
            SignedEchoMessage::Send { turn, vector, opening }
        }),
        (turns(), digests(), attestations()).prop_map(|(turn, digest, attestation)| {
            SignedEchoMessage::Echo { turn, said: SignedDigest { digest, attestation } }
        }),
        (turns(), digests(), vec((nodes(), attestations()), 0..=3)).prop_map(
            |(turn, digest, certificate)| SignedEchoMessage::Final { turn, digest, certificate }
        ),
    ]
}

fn gather<M: Framed>(below: impl Strategy<Value = M>) -> impl Strategy<Value = GatherMessage<M>> {
    let ids = vec(0..LIMITS.nodes as u16, 0..=LIMITS.nodes)
        .prop_map(|ids| ids.into_iter().map(NodeId).collect::<NodeSet>());
    prop_oneof![
        below.prop_map(GatherMessage::Broadcast),
        (turns(), ids).prop_map(|(turn, ids)| GatherMessage::Report { turn, ids }),
    ]
}

/// There and back; every cut and every byte too many is refused; what is changed anywhere is
/// refused, or is another message that comes back as well.
fn check<M: Framed>(message: &M, flip: usize) -> Result<(), TestCaseError> {
    let frame = wire::encode(message);
    prop_assert_eq!(frame.len() as u64, wire::frame_bytes(message));
    prop_assert_eq!(&wire::decode::<M>(&frame, &LIMITS), &Ok(message.clone()));
    for end in 0..frame.len() {
        let error = wire::decode::<M>(&frame[..end], &LIMITS).unwrap_err();
        prop_assert!(matches!(error, WireError::Truncated { .. }), "{}", error);
    }
    let longer = [&frame[..], &[0]].concat();
    prop_assert_eq!(wire::decode::<M>(&longer, &LIMITS), Err(WireError::Trailing { count: 1 }));
    let mut changed = frame.clone();
    changed[flip / 8 % frame.len()] ^= 1 << (flip % 8);
    if let Ok(other) = wire::decode::<M>(&changed, &LIMITS) {
        prop_assert!(other != *message);
        prop_assert_eq!(wire::encode(&other), changed);
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_message_comes_back_from_its_frame(
        direct in direct(), reliable in reliable(), signed in signed_echo(),
        over_reliable in gather(reliable()), over_signed in gather(signed_echo()),
        flip in any::<usize>(),
    ) {
        check(&direct, flip)?;
        check(&reliable, flip)?;
        check(&signed, flip)?;
        check(&over_reliable, flip)?;
        check(&over_signed, flip)?;
    }

    #[test]
    fn any_bytes_end_as_a_message_or_as_an_error(
        bytes in vec(any::<u8>(), 0..200), is_headed in any::<bool>(),
    ) {
        any_bytes::<DirectMessage>(bytes.clone(), is_headed)?;
        any_bytes::<ReliableBroadcastMessage>(bytes.clone(), is_headed)?;
        any_bytes::<SignedEchoMessage>(bytes.clone(), is_headed)?;
        any_bytes::<GatherMessage<ReliableBroadcastMessage>>(bytes.clone(), is_headed)?;
        any_bytes::<GatherMessage<SignedEchoMessage>>(bytes, is_headed)?;
    }
}

fn any_bytes<M: Framed + Debug>(mut bytes: Vec<u8>, is_headed: bool) -> Result<(), TestCaseError> {
    if is_headed && bytes.len() >= 3 {
        (bytes[0], bytes[1]) = (wire::VERSION, M::KIND);
        bytes[2] %= 8;
    }
    if let Ok(message) = wire::decode::<M>(&bytes, &LIMITS) {
        prop_assert_eq!(wire::encode(&message), bytes);
    }
    Ok(())
}

#[test]
fn what_is_wrong_with_a_frame_is_named() {
    let turn = Turn::new(1, 0);
    let message = DirectMessage { turn, vector: Vector::new(vec![1.0, 2.0, 3.0]) };
    let frame = wire::encode(&message);
    let wrong = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut frame = frame.clone();
        change(&mut frame);
        wire::decode::<DirectMessage>(&frame, &LIMITS).unwrap_err()
    };
    assert_eq!(wrong(&|frame| frame[0] = 9), WireError::Version { found: 9 });
    assert_eq!(wrong(&|frame| frame[1] = 3), WireError::Kind { found: 3, expected: 1 });
    // Any length but the model's is refused, however few bytes follow.
    for found in [0, 2, 4, u32::MAX] {
        let error = wrong(&|frame| frame[10..14].copy_from_slice(&found.to_le_bytes()));
        assert_eq!(error, WireError::VectorLength { found: found as usize, expected: 3 });
    }
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let error = wrong(&|frame| frame[18..22].copy_from_slice(&value.to_le_bytes()));
        assert_eq!(error, WireError::NotFinite { index: 1 });
    }
    let small = Limits { bytes_max: frame.len() - 1, ..LIMITS };
    let error = wire::decode::<DirectMessage>(&frame, &small).unwrap_err();
    assert_eq!(error, WireError::TooLong { found: frame.len(), max: frame.len() - 1 });
    assert_eq!(wrong(&|frame| frame.truncate(20)), WireError::Truncated { end: 20, needed: 6 });
}

#[test]
fn a_certificate_of_more_signers_than_nodes_is_refused_before_it_is_read() {
    let attestation = Attestation { signature: [0; 64], index: 0, path: Vec::new() };
    let signers = |count: u16| (0..count).map(|node| (NodeId(node), attestation.clone())).collect();
    let with = |count| SignedEchoMessage::Final {
        turn: Turn::default(),
        digest: [0; 32],
        certificate: signers(count),
    };
    let decode = |frame: &[u8]| wire::decode::<SignedEchoMessage>(frame, &LIMITS);
    assert_eq!(decode(&wire::encode(&with(9))), Ok(with(9)));
    assert!(matches!(decode(&wire::encode(&with(10))), Err(WireError::Malformed { .. })));
}

#[test]
fn an_attestation_that_is_no_leaf_of_a_tree_is_refused_before_its_path_is_read() {
    let echo = |index, height| {
        let attestation = Attestation { signature: [0; 64], index, path: vec![[1; 32]; height] };
        let said = SignedDigest { digest: [0; 32], attestation };
        SignedEchoMessage::Echo { turn: Turn::default(), said }
    };
    let decode = |index, height| {
        let message = echo(index, height);
        let is_back = wire::decode::<SignedEchoMessage>(&wire::encode(&message), &LIMITS)?;
        assert_eq!(is_back, message);
        Ok(())
    };
    for (index, height) in [(0, 0), (1, 1), (7, 3), (u16::MAX, 16)] {
        assert_eq!(decode(index, height), Ok(()), "leaf {index} of {height}");
    }
    for (index, height) in [(1, 0), (2, 1), (8, 3), (0, 17), (0, 26)] {
        let refused = decode(index, height);
        assert!(matches!(refused, Err(WireError::Malformed { .. })), "leaf {index} of {height}");
    }
}

#[test]
fn no_two_kinds_of_message_share_a_byte() {
    let kinds = [
        DirectMessage::KIND,
        ReliableBroadcastMessage::KIND,
        SignedEchoMessage::KIND,
        GatherMessage::<ReliableBroadcastMessage>::KIND,
        GatherMessage::<SignedEchoMessage>::KIND,
    ];
    let distinct: std::collections::BTreeSet<_> = kinds.into_iter().collect();
    assert_eq!(distinct.len(), kinds.len());
}
