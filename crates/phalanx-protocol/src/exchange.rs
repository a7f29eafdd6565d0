//! The exchanges that an experiment can name: what each promises and what it costs.
//!
//! Data only: which machines an exchange is put together from is the driver's business, since
//! each has messages of its own.
use phalanx_robust::{Bound, Entry, Param};

/// What a node is handed when a turn is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Yields {
    /// vectors of n − f or more nodes, for the algorithm's rule to condense
    Vectors,
    /// one vector, condensed by the exchange itself with the named rule
    Agreed {
        /// the rule inside, unless parameter `inner` names it
        rule: &'static str,
    },
}

/// What is known of an exchange besides name and parameters.
#[derive(Debug, Clone, Copy)]
pub struct ExchangeRule {
    /// the steps in plain text, as `phalanx explain` shows them
    pub formula: &'static str,
    /// what honest nodes can rely on
    pub guarantee: &'static str,
    /// messages and bytes per turn, over all nodes
    pub cost: &'static str,
    /// what it demands of the population
    pub bound: Bound,
    /// what the algorithm gets
    pub yields: Yields,
}

const TURNS_AHEAD: Param = Param::integer("turns-ahead", (1, 1 << 16), 64)
    .about("turns ahead of the own one that are kept for each peer; further ones are discarded");

const TURNS_SERVED: Param = Param::integer("turns-served", (0, 1 << 16), 8).about(
    "old turns that a node goes on serving; who is further behind cannot be helped any more",
);

/// Under an agreement a turn is a pass.
const PASSES_AHEAD: Param = Param::integer("turns-ahead", (1, 1 << 16), 0).optional().about(
    "passes ahead of the own one that are kept for each peer; unless given 64, or all of a turn",
);

const PASSES_SERVED: Param = Param::integer("turns-served", (0, 1 << 16), 0).optional().about(
    "old passes that a node goes on serving; unless given 8, or all of a turn where those are more",
);

const FORM: Param = Param::choice("form", &["digest", "naive"], "digest").about(
    "digest: echoes carry 32 bytes, a missing vector is fetched; naive: every message carries it",
);

const ECHOES: Param = Param::choice("echoes", &["single", "batched"], "batched")
    .about("batched: one signature for the first n − f broadcasts of a turn; single: one for each");

const WITNESSES: Param = Param::flag("witnesses", false)
    .about("wait for n − f witnesses, so that any two nodes hold n − f vectors in common");

/// n ≥ 6f + 1.
const SIX: Bound = Bound { times_f: 6, plus: 1 };

/// Every exchange that an experiment file can name.
pub const EXCHANGES: &[Entry<ExchangeRule>] = &[
    Entry {
        name: "direct",
        summary: "best effort: send to everyone, act on the first n − f vectors that came",
        source: "El-Mhamdi et al., Collaborative Learning in the Jungle, NeurIPS 2021, section on \
                 the model; the transport of every published simulator",
        params: &[],
        build: ExchangeRule {
            formula: "send x to all;  collect the first n − f",
            guarantee: "liveness only: a Byzantine node can show each receiver another vector",
            cost: "n(n − 1) messages of d entries",
            bound: Bound::ANY,
            yields: Yields::Vectors,
        },
    },
    Entry {
        name: "reliable-broadcast",
        summary: "Bracha's broadcast: what one honest node delivers, all do, and the same",
        source: "Bracha, Asynchronous Byzantine Agreement Protocols, Information and Computation \
                 1987; witnesses: Abraham, Amit and Dolev, OPODIS 2004",
        params: &[FORM, WITNESSES, TURNS_AHEAD, TURNS_SERVED],
        build: ExchangeRule {
            formula: "SEND x;  ECHO the first SEND;  READY on ⌈(n+f+1)/2⌉ ECHO or f+1 READY;  \
                      deliver on 2f+1 READY;  collect the first n − f deliveries",
            guarantee: "validity, integrity, agreement, totality (for nodes at most \
                        `turns-served` turns behind)",
            cost: "n(n − 1) vectors and 2n²(n − 1) digests (form digest); 2n²(n − 1) further \
                   vectors (form naive)",
            bound: Bound::TWO_THIRDS,
            yields: Yields::Vectors,
        },
    },
    Entry {
        name: "signed-echo",
        summary: "signed echo broadcast: nobody delivers two different vectors of one sender",
        source: "Reiter, Secure Agreement Protocols, CCS 1994; Cachin, Guerraoui and Rodrigues, \
                 algorithm 3.17; the broadcast that MoNNA builds on",
        params: &[ECHOES, TURNS_AHEAD, TURNS_SERVED],
        build: ExchangeRule {
            formula: "SEND x;  answer each sender's first SEND with a signature on its digest, one \
                      for n − f of them;  FINAL with ⌊(n+f)/2⌋+1 signatures;  deliver on a \
                      valid FINAL;  collect the first n − f",
            guarantee: "validity, integrity, consistency; no totality: a Byzantine sender can be \
                        delivered by some nodes only",
            cost: "n(n − 1) vectors, n(n − 1) signatures and n(n − 1) certificates of \
                   ⌊(n+f)/2⌋+1 signatures",
            bound: Bound::TWO_THIRDS,
            yields: Yields::Vectors,
        },
    },
    Entry {
        name: "mda-agreement",
        summary: "averaging agreement by minimum-diameter averaging over direct exchanges",
        source: "El-Mhamdi et al., Collaborative Learning in the Jungle, NeurIPS 2021 (MDA)",
        params: &[
            Param::integer("quorum", (1, 1 << 16), 0)
                .optional()
                .about("q: vectors to wait for in each pass; n − f unless given"),
            PASSES_AHEAD,
        ],
        build: ExchangeRule {
            formula: "T times: exchange x, collect q;  x ← mean of the q − f of least diameter",
            guarantee: "the honest vectors come together by 2^N, their mean moves by at most C \
                        times their diameter; `phalanx agree` shows both against the bounds",
            cost: "T n(n − 1) messages of d entries",
            bound: SIX,
            yields: Yields::Agreed { rule: "minimum-diameter-averaging" },
        },
    },
    Entry {
        name: "rb-tm-agreement",
        summary: "averaging agreement by trimmed mean over reliable broadcast with witnesses",
        source: "El-Mhamdi et al., Collaborative Learning in the Jungle, NeurIPS 2021 (RB-TM)",
        params: &[
            Param::choice("inner", &["trimmed-mean", "trimmed-midpoint"], "trimmed-mean")
                .about("what condenses a pass; the midpoint halves the range whatever n and f"),
            FORM,
            PASSES_AHEAD,
            PASSES_SERVED,
        ],
        build: ExchangeRule {
            formula: "T times: broadcast x reliably, wait for n − f witnesses;  x ← coordinate by \
                      coordinate, drop f lowest and f highest, average the others",
            guarantee: "box validity, and both bounds of averaging agreement",
            cost: "T n(n − 1) vectors and 2T n²(n − 1) digests (form digest)",
            bound: Bound::TWO_THIRDS,
            yields: Yields::Agreed { rule: "trimmed-mean" },
        },
    },
];
