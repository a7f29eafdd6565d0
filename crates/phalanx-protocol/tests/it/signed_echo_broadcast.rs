//! Signed echo broadcast: its four properties, its thresholds, and what it can prove of whom.
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use phalanx_protocol::{
    Attestation, Broadcast, Delivered, Discard, Echoes, Ed25519Keyring, Evidence, Input, Instance,
    Keyring, Machine, Message, NodeId, Outbox, Output, Rejection, Share, Signature, SignedDigest,
    SignedEchoBroadcast, SignedEchoConfig, SignedEchoMessage, Time, To, Turn, Vector,
    VerificationCache,
};
use phalanx_robust::{Bound, Population, PopulationError, StateReader, StateWriter};

const RUN: [u8; 32] = [7; 32];
const DIM: usize = 2;
const MODES: [Echoes; 2] = [Echoes::Single, Echoes::Batched];
type Out = Outbox<SignedEchoBroadcast>;

fn config(echoes: Echoes, n: usize, f: usize) -> SignedEchoConfig {
    SignedEchoConfig {
        population: Population::new(n, f).unwrap(),
        run: RUN,
        echoes,
        dim: DIM,
        is_finite_required: true,
        turns_ahead_max: 8,
        turns_served_max: 2,
    }
}

fn keyrings(n: usize) -> Vec<Ed25519Keyring> {
    let cache = Arc::new(VerificationCache::new(1 << 12));
    let keyrings = Ed25519Keyring::population(1, n).into_iter();
    keyrings.map(|keyring| keyring.with_cache(Arc::clone(&cache))).collect()
}

fn machine(echoes: Echoes, me: u16, n: usize, f: usize) -> SignedEchoBroadcast {
    let keyring = keyrings(n)[usize::from(me)].clone();
    SignedEchoBroadcast::new(NodeId(me), config(echoes, n, f), Arc::new(keyring)).unwrap()
}

/// Where echoes are batched: one that has seen broadcasts of a turn from n − f − 1 others, so that
/// with one more it signs.
fn prepared(echoes: Echoes, me: u16, (n, f): (u16, u16), turn: Turn) -> SignedEchoBroadcast {
    let mut machine = machine(echoes, me, usize::from(n), usize::from(f));
    prepare(&mut machine, echoes, f + 1..n, turn);
    machine
}

fn prepare(
    machine: &mut SignedEchoBroadcast,
    echoes: Echoes,
    others: impl IntoIterator<Item = u16>,
    turn: Turn,
) {
    if echoes == Echoes::Batched {
        for other in others {
            let message = send(echoes, turn, other, &vector(f32::from(other)));
            assert_eq!(give(machine, other, message), vec![]);
        }
    }
}

fn vector(value: f32) -> Vector {
    Vector::new(vec![value; DIM])
}

fn instance(turn: Turn, sender: u16) -> Instance {
    Instance { turn, sender: NodeId(sender) }
}

fn said(signer: u16, instance: Instance, vector: &Vector) -> SignedDigest {
    let keyring = &keyrings(26)[usize::from(signer)];
    SignedEchoMessage::signed(&RUN, instance, vector.digest(), keyring)
}

fn send(echoes: Echoes, turn: Turn, sender: u16, vector: &Vector) -> SignedEchoMessage {
    let opening = match echoes {
        Echoes::Single => Some(said(sender, instance(turn, sender), vector).attestation),
        Echoes::Batched => None,
    };
    SignedEchoMessage::Send { turn, vector: vector.clone(), opening }
}

fn echo(turn: Turn, signer: u16, sender: u16, vector: &Vector) -> SignedEchoMessage {
    SignedEchoMessage::Echo { turn, said: said(signer, instance(turn, sender), vector) }
}

fn certificate(
    instance: Instance,
    vector: &Vector,
    signers: impl IntoIterator<Item = u16>,
) -> Vec<(NodeId, Attestation)> {
    let signed = |signer| (NodeId(signer), said(signer, instance, vector).attestation);
    signers.into_iter().map(signed).collect()
}

fn last(
    turn: Turn,
    sender: u16,
    vector: &Vector,
    signers: impl IntoIterator<Item = u16>,
) -> SignedEchoMessage {
    let certificate = certificate(instance(turn, sender), vector, signers);
    SignedEchoMessage::Final { turn, digest: vector.digest(), certificate }
}

fn give(machine: &mut SignedEchoBroadcast, from: u16, message: SignedEchoMessage) -> Out {
    let mut out = Vec::new();
    machine.handle(Time(0), Input::Message { from: NodeId(from), message }, &mut out);
    assert!(machine.held() <= machine.held_max());
    out
}

fn share(machine: &mut SignedEchoBroadcast, turn: Turn, value: f32) -> Out {
    let mut out = Vec::new();
    let share = Share { turn, vector: vector(value), halvings: 1 };
    machine.handle(Time(0), Input::Command(share), &mut out);
    out
}

fn delivered(out: &Out) -> Vec<&Delivered> {
    let events = out.iter().filter_map(|output| match output {
        Output::Event(delivered) => Some(delivered),
        _ => None,
    });
    events.collect()
}

fn rejected(out: &Out) -> Vec<Rejection> {
    let reason = |output: &_| match output {
        Output::Reject { reason, .. } => Some(*reason),
        _ => None,
    };
    out.iter().filter_map(reason).collect()
}

fn discarded(out: &Out) -> Vec<Discard> {
    let reason = |output: &_| match output {
        Output::Discard { reason, .. } => Some(*reason),
        _ => None,
    };
    out.iter().filter_map(reason).collect()
}

fn accused(out: &Out) -> Vec<&Evidence> {
    let proofs = out.iter().filter_map(|output| match output {
        Output::Accuse(evidence) => Some(&**evidence),
        _ => None,
    });
    proofs.collect()
}

fn echoes_to(sender: u16, out: &Out) -> usize {
    let is_echo = |output: &&_| match output {
        Output::Send { to, message: SignedEchoMessage::Echo { .. } } => {
            *to == To::Node(NodeId(sender))
        }
        _ => false,
    };
    out.iter().filter(is_echo).count()
}

const TURN: Turn = turn(3);

const fn turn(round: u32) -> Turn {
    use phalanx_protocol::{Pass, Phase, Round};
    Turn { round: Round(round), phase: Phase(1), pass: Pass(2) }
}

#[test]
fn quorums_are_strictly_more_than_half_of_n_plus_f_and_need_n_above_3f() {
    for (n, f, quorum) in [(1, 0, 1), (2, 0, 2), (4, 1, 3), (7, 2, 5), (16, 3, 10), (26, 5, 16)] {
        assert_eq!(config(Echoes::Batched, n, f).quorum(), quorum);
        assert!(2 * quorum > n + f && 2 * (quorum - 1) <= n + f && quorum <= n - f);
    }
    let keyring = Arc::new(keyrings(3)[0].clone());
    let error =
        SignedEchoBroadcast::new(NodeId(0), config(Echoes::Single, 3, 1), keyring).unwrap_err();
    let expected = PopulationError::Bound { n: 3, f: 1, bound: Bound::TWO_THIRDS, largest_f: 0 };
    assert_eq!(error, expected);
}

#[test]
fn a_sender_alone_delivers_at_once() {
    for echoes in MODES {
        let out = share(&mut machine(echoes, 0, 1, 0), TURN, 1.0);
        assert_eq!(
            delivered(&out),
            vec![&Delivered { instance: instance(TURN, 0), vector: vector(1.0) }]
        );
    }
}

#[test]
fn a_sender_sends_its_certificate_at_the_quorum_and_once() {
    for echoes in MODES {
        let mut sender = prepared(echoes, 0, (4, 1), TURN);
        let opened = share(&mut sender, TURN, 1.0);
        let message = send(echoes, TURN, 0, &vector(1.0));
        assert_eq!(opened.last(), Some(&Output::Send { to: To::Others, message }));
        let is_batched = usize::from(echoes == Echoes::Batched);
        assert_eq!([2, 3].map(|other| echoes_to(other, &opened)), [is_batched; 2]);
        assert!(give(&mut sender, 2, echo(TURN, 2, 0, &vector(1.0))).is_empty(), "two of three");
        let again = give(&mut sender, 2, echo(TURN, 2, 0, &vector(1.0)));
        assert_eq!(discarded(&again), vec![Discard::Duplicate], "nobody counts twice");
        let out = give(&mut sender, 1, echo(TURN, 1, 0, &vector(1.0)));
        let Output::Send { to: To::Others, message } = &out[0] else { panic!("{out:?}") };
        if echoes == Echoes::Single {
            assert_eq!(*message, last(TURN, 0, &vector(1.0), [0, 1, 2]));
        }
        let mut other = machine(echoes, 1, 4, 1);
        give(&mut other, 0, send(echoes, TURN, 0, &vector(1.0)));
        assert_eq!(delivered(&give(&mut other, 0, message.clone())).len(), 1);
        assert_eq!(delivered(&out).len(), 1);
        let late = give(&mut sender, 3, echo(TURN, 3, 0, &vector(1.0)));
        assert_eq!(late, vec![Output::Discard { from: NodeId(3), reason: Discard::Late }]);
    }
}

#[test]
fn a_sender_certifies_once_it_has_signed_however_early_the_echoes_of_others_come() {
    let mut sender = machine(Echoes::Batched, 0, 4, 1);
    share(&mut sender, TURN, 1.0);
    for other in 1..4 {
        let out = give(&mut sender, other, echo(TURN, other, 0, &vector(1.0)));
        assert_eq!(out, vec![], "the own echo is missing");
    }
    assert_eq!(give(&mut sender, 2, send(Echoes::Batched, TURN, 2, &vector(2.0))), vec![]);
    let out = give(&mut sender, 3, send(Echoes::Batched, TURN, 3, &vector(3.0)));
    assert_eq!([1, 2, 3].map(|other| echoes_to(other, &out)), [0, 1, 1]);
    let certificate = out.iter().find_map(|output| match output {
        Output::Send { message: SignedEchoMessage::Final { certificate, .. }, .. } => {
            Some(certificate.iter().map(|(node, _)| node.0).collect::<Vec<_>>())
        }
        _ => None,
    });
    assert_eq!(certificate, Some(vec![0, 1, 2]), "a quorum, though all four have signed");
    assert_eq!(delivered(&out).len(), 1);
    let out = give(&mut sender, 1, send(Echoes::Batched, TURN, 1, &vector(1.0)));
    assert_eq!(echoes_to(1, &out), 1, "what is late is signed by itself");
}

#[test]
fn a_node_delivers_once_it_has_vector_and_certificate_in_either_order() {
    for echoes in MODES {
        let value = vector(1.0);
        for is_final_first in [false, true] {
            let mut node = prepared(echoes, 1, (4, 1), TURN);
            let mut messages = [send(echoes, TURN, 0, &value), last(TURN, 0, &value, [0, 2, 3])];
            if is_final_first {
                messages.reverse();
            }
            let [first, second] = messages.map(|message| give(&mut node, 0, message));
            assert_eq!(delivered(&first).len(), 0);
            let expected = Delivered { instance: instance(TURN, 0), vector: value.clone() };
            assert_eq!(delivered(&second), vec![&expected]);
            assert_eq!(echoes_to(0, &first) + echoes_to(0, &second), 1);
            for message in [send(echoes, TURN, 0, &value), last(TURN, 0, &value, [0, 2, 3])] {
                let again = give(&mut node, 0, message);
                assert_eq!(delivered(&again).len(), 0, "no duplication");
                assert_eq!(discarded(&again), vec![Discard::Duplicate]);
            }
        }
    }
}

#[test]
fn certificates_that_no_honest_sender_makes_are_refused() {
    let (value, other) = (vector(1.0), vector(2.0));
    let with =
        |certificate| SignedEchoMessage::Final { turn: TURN, digest: value.digest(), certificate };
    let signed = |signers: &[u16]| certificate(instance(TURN, 0), &value, signers.to_vec());
    let swapped = |at: usize, by: (NodeId, Attestation)| {
        let mut certificate = signed(&[0, 2, 3]);
        certificate[at] = by;
        with(certificate)
    };
    let foreign =
        |signer: u16, instance| (NodeId(signer), said(signer, instance, &value).attestation);
    let bent = |signer: u16, bend: fn(&mut Attestation)| {
        let mut by = said(signer, instance(TURN, 0), &value).attestation;
        bend(&mut by);
        (NodeId(signer), by)
    };
    let bad = Rejection::BadSignature;
    let malformed = Rejection::Malformed;
    let cases = [
        ("one too few", with(signed(&[0, 2])), malformed),
        ("one too many", with(signed(&[0, 1, 2, 3])), malformed),
        ("a signer twice", with(signed(&[0, 2, 2])), malformed),
        ("a signer twice, apart", with(signed(&[0, 2, 0])), malformed),
        ("not ascending", with(signed(&[2, 0, 3])), malformed),
        ("not the sender", with(signed(&[1, 2, 3])), malformed),
        ("a stranger", with(signed(&[0, 2, 4])), malformed),
        ("empty", with(Vec::new()), malformed),
        (
            "another digest",
            swapped(1, (NodeId(2), said(2, instance(TURN, 0), &other).attestation)),
            bad,
        ),
        (
            "another signer",
            swapped(1, (NodeId(2), said(1, instance(TURN, 0), &value).attestation)),
            bad,
        ),
        ("another sender", swapped(2, foreign(3, instance(TURN, 2))), bad),
        ("another round", swapped(2, foreign(3, instance(turn(4), 0))), bad),
        ("another phase", swapped(2, foreign(3, instance(Turn::new(3, 2).with_pass(2), 0))), bad),
        ("another pass", swapped(2, foreign(3, instance(TURN.with_pass(1), 0))), bad),
        ("a longer path", swapped(1, bent(2, |by| by.path.push([0; 32]))), bad),
        ("an index outside", swapped(1, bent(2, |by| by.index = 1)), bad),
        ("a path without end", swapped(1, bent(2, |by| by.path = vec![[0; 32]; 40])), bad),
        ("the sender's own", swapped(0, foreign(0, instance(turn(4), 0))), bad),
    ];
    for (name, message, reason) in cases {
        for (echoes, is_sent) in
            MODES.map(|echoes| [false, true].map(|sent| (echoes, sent))).concat()
        {
            let mut node = machine(echoes, 1, 4, 1);
            if is_sent {
                give(&mut node, 0, send(echoes, TURN, 0, &value));
            }
            let out = give(&mut node, 0, message.clone());
            assert_eq!(rejected(&out), vec![reason], "{name}");
            // What was refused stays refused, and nothing of it is delivered.
            let more = give(&mut node, 0, last(TURN, 0, &value, [0, 2, 3]));
            assert_eq!((rejected(&more), delivered(&more).len()), (vec![reason], 0), "{name}");
        }
    }
}

#[test]
fn a_broadcast_cannot_be_replayed_elsewhere() {
    for echoes in MODES {
        let value = vector(1.0);
        let mut other_run = config(echoes, 4, 1);
        other_run.run = [8; 32];
        let keyring = Arc::new(keyrings(4)[1].clone());
        let mut node = SignedEchoBroadcast::new(NodeId(1), other_run, keyring).unwrap();
        let opened = rejected(&give(&mut node, 0, send(echoes, TURN, 0, &value)));
        let is_signed = echoes == Echoes::Single;
        assert_eq!(opened, vec![Rejection::BadSignature; usize::from(is_signed)]);
        let out = give(&mut node, 0, last(TURN, 0, &value, [0, 2, 3]));
        assert_eq!(rejected(&out), vec![Rejection::BadSignature]);
        let (first, proof) = (send(echoes, TURN, 0, &value), last(TURN, 0, &value, [0, 2, 3]));
        use SignedEchoMessage::{Final, Send};
        let (Send { opening, .. }, Final { certificate, .. }) = (first, proof) else {
            unreachable!("as they were made")
        };
        let places =
            [(turn(4), 0), (Turn::new(3, 2).with_pass(2), 0), (TURN.with_pass(3), 0), (TURN, 2)];
        for (turn, from) in places {
            let digest = value.digest();
            let send = Send { turn, vector: value.clone(), opening: opening.clone() };
            let last = Final { turn, digest, certificate: certificate.clone() };
            for message in [send, last].into_iter().skip(usize::from(!is_signed)) {
                let mut node = machine(echoes, 1, 4, 1);
                assert_eq!(
                    rejected(&give(&mut node, from, message)),
                    vec![Rejection::BadSignature]
                );
            }
        }
        // An echo of one broadcast is none of another.
        let mut sender = prepared(echoes, 0, (4, 1), TURN);
        share(&mut sender, TURN, 1.0);
        for (turn, of) in [(turn(4), 0), (TURN, 2)] {
            let mut sender = sender.clone();
            let said = said(1, instance(turn, of), &value);
            let out = give(&mut sender, 1, SignedEchoMessage::Echo { turn: TURN, said });
            assert_eq!(rejected(&out), vec![Rejection::BadSignature]);
            let goes_on = give(&mut sender, 2, echo(TURN, 2, 0, &value));
            assert!(goes_on.is_empty(), "one liar stops nobody");
            assert_eq!(delivered(&give(&mut sender, 3, echo(TURN, 3, 0, &value))).len(), 1);
        }
    }
}

#[test]
fn two_openings_are_proven_to_everybody_and_once() {
    let mut node = machine(Echoes::Single, 1, 4, 1);
    give(&mut node, 0, send(Echoes::Single, TURN, 0, &vector(1.0)));
    let out = give(&mut node, 0, send(Echoes::Single, TURN, 0, &vector(2.0)));
    assert_eq!(rejected(&out), vec![Rejection::Equivocation]);
    assert_eq!(echoes_to(0, &out), 0, "signed once");
    let [evidence] = accused(&out)[..] else { panic!("one accusation") };
    assert_eq!((evidence.accused, evidence.sender, evidence.turn), (NodeId(0), NodeId(0), TURN));
    let third_party = &keyrings(4)[3];
    assert!(evidence.verify(&RUN, third_party));
    assert!(!evidence.verify(&[8; 32], third_party), "of another run");
    let forgeries: [fn(&mut Evidence); 6] = [
        |evidence| evidence.accused = NodeId(2),
        |evidence| evidence.sender = NodeId(2),
        |evidence| evidence.turn = turn(4),
        |evidence| evidence.digests.reverse(),
        |evidence| evidence.digests[1] = evidence.digests[0],
        |evidence| {
            evidence.digests[1] = evidence.digests[0];
            evidence.attestations[1] = evidence.attestations[0].clone();
        },
    ];
    for forge in forgeries {
        let mut forged = evidence.clone();
        forge(&mut forged);
        assert!(!forged.verify(&RUN, third_party));
    }
    let again = give(&mut node, 0, send(Echoes::Single, TURN, 0, &vector(3.0)));
    assert_eq!(accused(&again).len(), 0, "one proof is enough");
    assert_eq!(rejected(&again), vec![Rejection::Equivocation]);
}

#[test]
fn two_openings_without_signatures_are_refused_and_convince_nobody_else() {
    let echoes = Echoes::Batched;
    for is_certified in [false, true] {
        let mut node = prepared(echoes, 1, (4, 1), TURN);
        assert_eq!(echoes_to(0, &give(&mut node, 0, send(echoes, TURN, 0, &vector(1.0)))), 1);
        let second = match is_certified {
            true => last(TURN, 0, &vector(2.0), [0, 2, 3]),
            false => send(echoes, TURN, 0, &vector(2.0)),
        };
        let out = give(&mut node, 0, second);
        assert_eq!((rejected(&out), out.len()), (vec![Rejection::Equivocation], 1));
        let more = give(&mut node, 0, last(TURN, 0, &vector(1.0), [0, 2, 3]));
        assert_eq!(delivered(&more).len(), 0);
    }
}

#[test]
fn an_opening_against_a_certificate_is_proven_in_either_order() {
    let messages =
        [send(Echoes::Single, TURN, 0, &vector(1.0)), last(TURN, 0, &vector(2.0), [0, 2, 3])];
    for order in [[0, 1], [1, 0]] {
        let mut node = machine(Echoes::Single, 1, 4, 1);
        let [_, second] = order.map(|at: usize| give(&mut node, 0, messages[at].clone()));
        assert_eq!(rejected(&second), vec![Rejection::Equivocation]);
        let [evidence] = accused(&second)[..] else { panic!("one accusation") };
        assert_eq!(evidence.accused, NodeId(0));
        assert!(evidence.verify(&RUN, &keyrings(4)[3]));
        assert_eq!(delivered(&second).len(), 0);
    }
}

#[test]
fn two_certificates_prove_everyone_who_signed_for_both() {
    for echoes in MODES {
        let mut node = machine(echoes, 1, 7, 2);
        give(&mut node, 0, last(TURN, 0, &vector(1.0), [0, 2, 3, 4, 5]));
        let out = give(&mut node, 0, last(TURN, 0, &vector(2.0), [0, 1, 4, 5, 6]));
        let accused = accused(&out);
        let nodes: BTreeSet<u16> = accused.iter().map(|evidence| evidence.accused.0).collect();
        assert_eq!((nodes, accused.len()), (BTreeSet::from([0, 4, 5]), 3));
        assert!(accused.iter().all(|evidence| evidence.verify(&RUN, &keyrings(7)[3])));
    }
}

#[test]
fn an_echoer_of_two_digests_is_proven_in_either_order_and_a_forged_echo_proves_nothing() {
    for echoes in MODES {
        let (mine, other) = (vector(1.0), vector(2.0));
        for order in [[&mine, &other], [&other, &mine]] {
            let mut sender = machine(echoes, 0, 4, 1);
            share(&mut sender, TURN, 1.0);
            let [_, second] = order.map(|vector| give(&mut sender, 3, echo(TURN, 3, 0, vector)));
            assert_eq!(rejected(&second), vec![Rejection::Equivocation]);
            let [evidence] = accused(&second)[..] else { panic!("one accusation") };
            assert_eq!(evidence.accused, NodeId(3));
            assert!(evidence.verify(&RUN, &keyrings(4)[2]));
        }
        let mut sender = machine(echoes, 0, 4, 1);
        share(&mut sender, TURN, 1.0);
        give(&mut sender, 3, echo(TURN, 3, 0, &mine));
        let mut said = said(3, instance(TURN, 0), &other);
        said.attestation.signature = [1; 64];
        let out = give(&mut sender, 3, SignedEchoMessage::Echo { turn: TURN, said });
        assert_eq!((rejected(&out), accused(&out).len()), (vec![Rejection::BadSignature], 0));
    }
}

#[test]
fn a_sender_that_signs_badly_gets_no_echo() {
    for echoes in MODES {
        let mut node = prepared(echoes, 1, (4, 1), TURN);
        let attestation = |signature| Attestation { signature, index: 0, path: Vec::new() };
        // Signed by somebody else, not signed, and signed where that is not asked for.
        let (openings, reason) = match echoes {
            Echoes::Single => (vec![Some(attestation([0; 64])), None], Rejection::BadSignature),
            Echoes::Batched => {
                let opening = said(0, instance(TURN, 0), &vector(1.0)).attestation;
                (vec![Some(opening)], Rejection::Malformed)
            }
        };
        for opening in openings {
            let mut node = node.clone();
            let unsigned = SignedEchoMessage::Send { turn: TURN, vector: vector(1.0), opening };
            let out = give(&mut node, 0, unsigned);
            assert_eq!((rejected(&out), echoes_to(0, &out)), (vec![reason], 0));
        }
        for (vector, reason) in [
            (Vector::new(vec![0.0; DIM + 1]), Rejection::WrongLength),
            (vector(f32::NAN), Rejection::NotFinite),
        ] {
            let mut node = machine(echoes, 1, 4, 1);
            assert_eq!(rejected(&give(&mut node, 0, send(echoes, TURN, 0, &vector))), vec![reason]);
        }
        let out = give(&mut node, 1, send(echoes, TURN, 1, &vector(1.0)));
        assert_eq!(rejected(&out), vec![Rejection::OutOfRole], "nobody hears itself");
        let out = give(&mut node, 4, send(echoes, TURN, 4, &vector(1.0)));
        assert_eq!(rejected(&out), vec![Rejection::OutOfRole], "there is no node 4");
    }
}

#[test]
fn old_turns_are_answered_for_a_while_and_then_never_signed_again() {
    for echoes in MODES {
        let mut node = machine(echoes, 1, 4, 1);
        for round in 0..5 {
            prepare(&mut node, echoes, [2, 3], turn(round));
            share(&mut node, turn(round), 1.0);
            node.advance(turn(round + 1));
        }
        // Two are served: 3 and 4.
        for (round, is_served) in [(0, false), (2, false), (3, true), (4, true), (5, true)] {
            let turn = turn(round);
            if round == 5 {
                prepare(&mut node, echoes, [2, 3], turn);
            }
            let out = give(&mut node, 0, send(echoes, turn, 0, &vector(1.0)));
            assert_eq!(echoes_to(0, &out), usize::from(is_served), "round {round}");
            assert_eq!(discarded(&out).contains(&Discard::Late), !is_served);
            give(&mut node, 2, echo(turn, 2, 1, &vector(1.0)));
            let out = give(&mut node, 3, echo(turn, 3, 1, &vector(1.0)));
            let is_final = |output: &Output<_, _>| {
                matches!(output, Output::Send { message: SignedEchoMessage::Final { .. }, .. })
            };
            assert_eq!(out.iter().any(is_final), is_served && round < 5, "round {round}");
            assert_eq!(delivered(&out).len(), 0, "the layer above has left, or did not share");
        }
        let out = give(&mut node, 0, last(turn(4), 0, &vector(1.0), [0, 2, 3]));
        assert_eq!(discarded(&out), vec![Discard::Late]);
    }
}

#[test]
fn a_peer_far_ahead_is_discarded_without_blame_and_harms_nobody_else() {
    for echoes in MODES {
        let mut node = machine(echoes, 1, 4, 1);
        let kept = config(echoes, 4, 1).turns_ahead_max + config(echoes, 4, 1).turns_served_max + 1;
        for round in 0..40 {
            let opened = send(echoes, turn(round), 0, &vector(1.0));
            for message in [opened, last(turn(round), 0, &vector(1.0), [0, 2, 3])] {
                let out = give(&mut node, 0, message);
                let is_refused = discarded(&out) == vec![Discard::TooEarly];
                assert_eq!(is_refused, round as usize >= kept, "memory is bounded");
                assert!(rejected(&out).is_empty());
            }
        }
        prepare(&mut node, echoes, [3], turn(9));
        share(&mut node, turn(9), 1.0);
        assert_eq!(echoes_to(2, &give(&mut node, 2, send(echoes, turn(9), 2, &vector(1.0)))), 1);
    }
}

#[test]
fn what_was_signed_before_a_restart_is_not_signed_otherwise_after_it() {
    for echoes in MODES {
        let mut node = prepared(echoes, 1, (4, 1), TURN);
        share(&mut node, TURN, 1.0);
        let before = node.signed_count();
        give(&mut node, 0, send(echoes, TURN, 0, &vector(1.0)));
        assert!(node.signed_count() > before);
        let mut state = StateWriter::default();
        node.durable(&mut state);
        let bytes = state.finish();
        let mut reborn = machine(echoes, 1, 4, 1);
        reborn.restore(&mut StateReader::new(&bytes)).unwrap();
        let out = give(&mut reborn, 0, send(echoes, TURN, 0, &vector(2.0)));
        assert_eq!((rejected(&out), echoes_to(0, &out)), (vec![Rejection::Equivocation], 0));
        let mut reborn = machine(echoes, 1, 4, 1);
        reborn.restore(&mut StateReader::new(&bytes)).unwrap();
        let out = give(&mut reborn, 0, send(echoes, TURN, 0, &vector(1.0)));
        assert_eq!(echoes_to(0, &out), 1, "the same again is answered again");
        let other = share(&mut reborn, TURN, 2.0);
        assert_eq!(other, vec![Output::Discard { from: NodeId(1), reason: Discard::Late }]);
        let mut reborn = machine(echoes, 1, 4, 1);
        reborn.restore(&mut StateReader::new(&bytes)).unwrap();
        let same = share(&mut reborn, TURN, 1.0);
        assert!(matches!(same.last(), Some(Output::Send { to: To::Others, .. })));
        // A file of another node is none of ours.
        assert!(machine(echoes, 1, 3, 0).restore(&mut StateReader::new(&bytes[..20])).is_err());
    }
}

#[test]
fn a_restart_between_seeing_and_signing_loses_no_echo() {
    let echoes = Echoes::Batched;
    // Nothing is signed yet: two of three have come.
    let node = prepared(echoes, 1, (4, 1), TURN);
    let mut state = StateWriter::default();
    node.durable(&mut state);
    let mut reborn = machine(echoes, 1, 4, 1);
    reborn.restore(&mut StateReader::new(&state.finish())).unwrap();
    let out = give(&mut reborn, 0, send(echoes, TURN, 0, &vector(1.0)));
    assert_eq!([0, 2, 3].map(|sender| echoes_to(sender, &out)), [1; 3]);
    assert_eq!(signed_digests(&out), BTreeSet::from([1.0, 2.0, 3.0].map(|v| vector(v).digest())));
    // What was seen before is what is signed, though another vector comes now.
    let mut state = StateWriter::default();
    node.durable(&mut state);
    let mut reborn = machine(echoes, 1, 4, 1);
    reborn.restore(&mut StateReader::new(&state.finish())).unwrap();
    let out = give(&mut reborn, 2, send(echoes, TURN, 2, &vector(9.0)));
    assert_eq!(rejected(&out), vec![Rejection::Equivocation]);
    let out = share(&mut reborn, TURN, 1.0);
    assert_eq!((0..4).map(|sender| echoes_to(sender, &out)).sum::<usize>(), 0, "two are left");
    let out = give(&mut reborn, 0, send(echoes, TURN, 0, &vector(5.0)));
    assert_eq!([0, 2, 3].map(|sender| echoes_to(sender, &out)), [1, 0, 1]);
    // A snapshot in between is all there is.
    let mut state = StateWriter::default();
    reborn.save(&mut state);
    let bytes = state.finish();
    let mut again = machine(echoes, 1, 4, 1);
    again.load(&mut StateReader::new(&bytes)).unwrap();
    let mut state = StateWriter::default();
    again.save(&mut state);
    assert_eq!(state.finish(), bytes);
    let out = give(&mut again, 0, send(echoes, TURN, 0, &vector(5.0)));
    assert_eq!((echoes_to(0, &out), discarded(&out)), (1, vec![Discard::Duplicate]));
}

fn signed_digests(out: &Out) -> BTreeSet<[u8; 32]> {
    let digest = |output: &_| match output {
        Output::Send { message: SignedEchoMessage::Echo { said, .. }, .. } => Some(said.digest),
        _ => None,
    };
    out.iter().filter_map(digest).collect()
}

#[test]
fn an_attestation_is_of_its_leaf_tree_turn_run_and_signer_only() {
    let rings = keyrings(4);
    let digests: Vec<_> = (0..9).map(|value| vector(value as f32).digest()).collect();
    for count in 1..=9 {
        let seen: Vec<_> = (0..count).map(|at| (NodeId(at as u16), digests[at])).collect();
        let batch = Attestation::batch(&RUN, TURN, &seen, &rings[1]);
        assert_eq!(batch.len(), count);
        let is_by = |by: &Attestation, signer: u16, (run, turn): ([u8; 32], Turn), at: usize| {
            let instance = instance(turn, seen[at].0.0);
            by.is_by(NodeId(signer), (&run, instance), &seen[at].1, &rings[2])
        };
        let here = (RUN, TURN);
        for (at, by) in batch.iter().enumerate() {
            assert_eq!(1 << by.path.len(), count.next_power_of_two());
            for other in 0..count {
                assert_eq!(is_by(by, 1, here, other), other == at, "{at} of {count}");
            }
            assert!(!is_by(by, 2, here, at) && !is_by(by, 1, ([8; 32], TURN), at));
            assert!(!is_by(by, 1, (RUN, turn(4)), at));
            assert!(
                !by.is_by(NodeId(1), (&RUN, instance(TURN, 3)), &digests[at], &rings[2]) || at == 3
            );
            let mut bends: Vec<Attestation> = Vec::new();
            for height in 0..by.path.len() {
                let mut bent = by.clone();
                bent.path[height][0] ^= 1;
                bends.push(bent);
                let mut bent = by.clone();
                bent.index ^= 1 << height;
                bends.push(bent);
            }
            let (mut longer, mut outside, mut endless) = (by.clone(), by.clone(), by.clone());
            longer.path.push([0; 32]);
            outside.index += 1 << by.path.len();
            endless.path = vec![[0; 32]; 17];
            bends.extend([longer, outside, endless]);
            if let Some(shorter) = by.path.len().checked_sub(1) {
                bends.push(Attestation { path: by.path[..shorter].to_vec(), ..by.clone() });
            }
            assert!(!bends.iter().any(|bent| is_by(bent, 1, here, at)), "{at} of {count}");
        }
    }
}

#[test]
fn a_root_that_is_known_helps_no_other_signature_signer_or_turn() {
    let (echoes, ring, value) = (Echoes::Batched, &keyrings(4)[3], vector(1.0));
    let seen = [0, 2].map(|sender| (NodeId(sender), value.digest()));
    let [first, second] = Attestation::batch(&RUN, TURN, &seen, ring).try_into().unwrap();
    let with = |sender: u16, turn: Turn, signer: u16, by: &Attestation| {
        let others = [sender, 1]
            .map(|node| (NodeId(node), said(node, instance(turn, sender), &value).attestation));
        let mut certificate: Vec<_> = others.into_iter().filter(|at| at.0.0 != signer).collect();
        certificate.push((NodeId(signer), by.clone()));
        certificate.sort_by_key(|(node, _)| *node);
        SignedEchoMessage::Final { turn, digest: value.digest(), certificate }
    };
    let mut node = machine(echoes, 1, 4, 1);
    assert_eq!(give(&mut node, 0, with(0, TURN, 3, &first)), vec![], "the root is known now");
    assert_eq!(give(&mut node.clone(), 2, with(2, TURN, 3, &second)), vec![]);
    let mut forged = second.clone();
    forged.signature[0] ^= 1;
    for message in [with(2, TURN, 3, &forged), with(2, turn(4), 3, &second)] {
        let out = give(&mut node.clone(), 2, message);
        assert_eq!(rejected(&out), vec![Rejection::BadSignature]);
    }
    let mut other = machine(echoes, 1, 4, 1);
    give(&mut other, 0, with(0, TURN, 3, &first));
    let SignedEchoMessage::Final { turn, digest, certificate } = with(2, TURN, 3, &second) else {
        unreachable!("as it was made")
    };
    let certificate = certificate.into_iter().map(|(node, by)| match node {
        NodeId(1) => (NodeId(0), second.clone()),
        _ => (node, by),
    });
    let mut certificate: Vec<_> = certificate.collect();
    certificate.sort_by_key(|(node, _)| *node);
    let message = SignedEchoMessage::Final { turn, digest, certificate };
    assert_eq!(rejected(&give(&mut other, 2, message)), vec![Rejection::BadSignature]);
}

#[test]
fn a_signer_of_two_batches_is_proven_to_a_third_party() {
    let echoes = Echoes::Batched;
    let ring = &keyrings(4)[3];
    let batch = |mine: &Vector| {
        let seen = [0, 1, 2].map(|sender| {
            let vector = if sender == 0 { mine.clone() } else { vector(f32::from(sender)) };
            (NodeId(sender), vector.digest())
        });
        let attestation = Attestation::batch(&RUN, TURN, &seen, ring).swap_remove(0);
        SignedDigest { digest: mine.digest(), attestation }
    };
    let mut sender = machine(echoes, 0, 4, 1);
    share(&mut sender, TURN, 1.0);
    let [mine, other] = [1.0, 2.0].map(|value| batch(&vector(value)));
    assert_eq!(give(&mut sender, 3, SignedEchoMessage::Echo { turn: TURN, said: mine }), vec![]);
    let out = give(&mut sender, 3, SignedEchoMessage::Echo { turn: TURN, said: other });
    let [evidence] = accused(&out)[..] else { panic!("one accusation") };
    assert_eq!((evidence.accused, evidence.sender), (NodeId(3), NodeId(0)));
    assert!(evidence.verify(&RUN, &keyrings(4)[2]));
    let text = evidence.to_string();
    assert!(text.contains("leaf 0 below "), "{text}");
    // Its word about another broadcast of that batch is none about this one.
    let mut forged = evidence.clone();
    forged.sender = NodeId(1);
    assert!(!forged.verify(&RUN, &keyrings(4)[2]));
    let mut forged = evidence.clone();
    forged.attestations.swap(0, 1);
    assert!(!forged.verify(&RUN, &keyrings(4)[2]));
}

/// Counts what it is asked to do.
#[derive(Debug)]
struct Counting {
    inner: Ed25519Keyring,
    signed: AtomicUsize,
    verified: AtomicUsize,
}

impl Keyring for Counting {
    fn sign(&self, message: &[u8]) -> Signature {
        self.signed.fetch_add(1, Ordering::Relaxed);
        self.inner.sign(message)
    }
    fn verify(&self, node: NodeId, message: &[u8], signature: &Signature) -> bool {
        self.verified.fetch_add(1, Ordering::Relaxed);
        self.inner.verify(node, message, signature)
    }
}

#[test]
fn a_turn_costs_what_the_documentation_says() {
    MODES.into_iter().for_each(turn_costs);
}

fn turn_costs(echoes: Echoes) {
    let (n, f) = (7, 2);
    let q = config(echoes, n, f).quorum();
    let counting = |inner| {
        let (signed, verified) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Counting { inner, signed, verified })
    };
    let rings: Vec<_> = keyrings(n).into_iter().map(counting).collect();
    let new = |me: usize| {
        let keyring = Arc::clone(&rings[me]);
        SignedEchoBroadcast::new(NodeId(me as u16), config(echoes, n, f), keyring).unwrap()
    };
    let mut nodes: Vec<_> = (0..n).map(new).collect();
    let mut queue = VecDeque::new();
    let (mut bytes, mut deliveries) = (0, 0);
    let mut take = |queue: &mut VecDeque<_>, from: usize, out: Out| {
        for output in out {
            match output {
                Output::Send { to, message } => {
                    let others = (0..n).filter(|node| *node != from);
                    for node in others {
                        if to == To::Others || to == To::Node(NodeId(node as u16)) {
                            bytes += message.bytes() as usize;
                            queue.push_back((from as u16, node, message.clone()));
                        }
                    }
                }
                Output::Event(_) => deliveries += 1,
                other => assert!(matches!(other, Output::Discard { reason: Discard::Late, .. })),
            }
        }
    };
    for (me, node) in nodes.iter_mut().enumerate() {
        take(&mut queue, me, share(node, TURN, me as f32));
    }
    while let Some((from, to, message)) = queue.pop_front() {
        take(&mut queue, to, give(&mut nodes[to], from, message));
    }
    assert_eq!(deliveries, n * n);
    let height = n.next_power_of_two().trailing_zeros() as usize;
    let cost = |opening, attestation| {
        let (echo, last) = (41 + attestation, 43 + (2 + attestation) * q);
        n * (n - 1) * ((4 * DIM + 13 + opening) + echo + last)
    };
    let counts = rings.iter().map(|ring| [&ring.signed, &ring.verified]);
    let counts = counts.map(|counts| counts.map(|count| count.load(Ordering::Relaxed)));
    match echoes {
        Echoes::Single => {
            assert_eq!(bytes, cost(67, 67));
            counts.for_each(|count| assert_eq!(count, [n, (q - 1) + (n - 1) * q]));
        }
        Echoes::Batched => {
            assert!((cost(0, 67)..cost(0, 67 + 32 * height)).contains(&bytes), "{bytes}");
            for [signed, verified] in counts {
                assert!(signed <= 1 + f && verified <= (1 + f) * n, "{signed}, {verified}");
            }
        }
    }
}
