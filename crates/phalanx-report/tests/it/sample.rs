//! Made-up run folders, as like real ones as the tests need.
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use phalanx_report::{Environment, FORMAT, Line, NodeSummary, Score, Status, Summary, Traffic};

/// What a made-up arm does.
#[derive(Clone)]
pub struct Arm {
    pub name: &'static str,
    pub attack: Option<&'static str>,
    pub rule: &'static str,
    /// accuracy that its mean approaches
    pub limit: f64,
    /// how far the worst node lies below it
    pub gap: f64,
    /// round at which a node fails in every seed from the second on
    pub diverges: Option<u32>,
}

/// A made-up experiment.
#[derive(Clone)]
pub struct Sample {
    pub experiment: &'static str,
    pub n: u16,
    pub byzantine: u16,
    pub rounds: u32,
    pub every: u32,
    pub seeds: Vec<u64>,
    pub arms: Vec<Arm>,
}

impl Sample {
    /// 26 nodes, 5 Byzantine, three seeds, one arm that diverges.
    pub fn quickstart() -> Self {
        let arm =
            |name, attack, rule, limit, gap| Arm { name, attack, rule, limit, gap, diverges: None };
        Self {
            experiment: "quickstart",
            n: 26,
            byzantine: 5,
            rounds: 600,
            every: 20,
            seeds: vec![1, 2, 3],
            arms: vec![
                arm("averaging-attack-free", None, "average", 0.931, 0.012),
                arm("averaging-attacked", Some("fall-of-empires"), "average", 0.104, 0.021),
                arm("monna", Some("fall-of-empires"), "nearest-neighbor-averaging", 0.913, 0.019),
                Arm {
                    diverges: Some(143),
                    ..arm("local-steps", Some("fall-of-empires"), "average", 0.6, 0.2)
                },
            ],
        }
    }

    /// Four nodes, one Byzantine, eight rounds, two arms, two seeds.
    pub fn small() -> Self {
        let mut small = Self::quickstart();
        small.experiment = "small";
        (small.n, small.byzantine, small.rounds, small.every) = (4, 1, 8, 2);
        small.seeds = vec![1, 2];
        small.arms.truncate(2);
        small
    }

    /// Writes the experiment folder, anew, and returns it.
    pub fn write(&self, place: &str) -> PathBuf {
        let folder = fresh(place).join(self.experiment);
        for (index, arm) in self.arms.iter().enumerate() {
            for &seed in &self.seeds {
                let name = format!("{}-{index:04x}{:04x}-s{seed}", arm.name, 0xbeef);
                self.write_run(&folder.join(name), arm, seed);
            }
        }
        folder
    }

    fn write_run(&self, folder: &Path, arm: &Arm, seed: u64) {
        std::fs::create_dir_all(folder).unwrap();
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9) ^ u64::from(arm.name.len() as u32));
        let byzantine = if arm.attack.is_some() { self.byzantine } else { 0 };
        let honest = self.n - byzantine;
        let fails = arm.diverges.filter(|_| seed != self.seeds[0] || self.seeds.len() == 1);
        let done = fails.unwrap_or(self.rounds);
        let mut record = String::new();
        let mut nodes: Vec<NodeSummary> =
            (0..honest).map(|node| node_summary(node, done, self.n)).collect();
        for round in 0..self.rounds {
            for node in 0..honest {
                let failed = fails.is_some_and(|at| round >= at && (node == 0 || round > at));
                if failed {
                    if fails == Some(round) {
                        let mut line = blank(round, node, "failed");
                        line.reason = Some("batch loss is not finite".into());
                        nodes[usize::from(node)].failed.clone_from(&line.reason);
                        push(&mut record, &line);
                    }
                    continue;
                }
                let score = |score, dice: &mut Dice| arm.accuracy(self, (score, node), dice);
                let mut line = blank(round, node, "proposed");
                line.loss = Some(arm.loss(self, round, &mut dice));
                push(&mut record, &line);
                for sender in 0..self.n {
                    let lucky = dice.share() < 0.8 || sender >= honest;
                    if sender == node || lucky {
                        nodes[usize::from(node)].heard[usize::from(sender)] += 1;
                    }
                }
                if (round + 1) % self.every == 0 || round == 0 {
                    let at = if round == 0 { 0 } else { round + 1 };
                    let mut line = blank(at, node, "evaluated");
                    line.scores = score(at, &mut dice);
                    nodes[usize::from(node)].scores.clone_from(&line.scores);
                    push(&mut record, &line);
                }
            }
        }
        if arm.attack.is_some() {
            let mut line = blank(0, 0, "rejected");
            line.round = None;
            line.from = vec![self.n - 1];
            line.reason = Some("Malformed".into());
            push(&mut record, &line);
        }
        let summary = self.summary(arm, seed, nodes, fails);
        std::fs::write(folder.join("record.jsonl"), record).unwrap();
        write_json(&folder.join("summary.json"), &summary);
        write_json(&folder.join("environment.json"), &environment(self.experiment, seed));
        std::fs::write(folder.join("experiment.toml"), self.toml(arm, seed)).unwrap();
    }

    fn summary(
        &self,
        arm: &Arm,
        seed: u64,
        nodes: Vec<NodeSummary>,
        fails: Option<u32>,
    ) -> Summary {
        let values = |name: &str| nodes.iter().map(|node| node.scores[name]).collect::<Vec<_>>();
        let scores =
            ["accuracy", "loss"].map(|name| (name.to_owned(), Score::over(name, &values(name))));
        let honest = nodes.len() as u64;
        let rounds = u64::from(fails.unwrap_or(self.rounds));
        let messages = honest * u64::from(self.n - 1) * rounds;
        let attackers = u64::from(self.n) - honest;
        Summary {
            format: FORMAT,
            experiment: self.experiment.into(),
            arm: arm.name.into(),
            seed,
            status: if fails.is_some() { Status::Diverged } else { Status::Finished },
            reason: fails.map(|at| format!("node 0 at round {at}: batch loss is not finite")),
            rounds_done: rounds as u32,
            rounds: self.rounds,
            n: usize::from(self.n),
            f: usize::from(self.byzantine),
            byzantine: attackers as usize,
            names: [
                ("task", "image-classification"),
                ("algorithm", if arm.name == "monna" { "monna" } else { "averaging-sgd" }),
                ("rule", arm.rule),
                ("attack", arm.attack.unwrap_or("none")),
                ("exchange", "direct"),
            ]
            .map(|(kind, name)| (kind.into(), name.into()))
            .into(),
            scores: scores.into(),
            nodes,
            traffic: Traffic {
                messages,
                bytes: messages * (4 * 79_510 + 24),
                lost: messages / 97,
                byzantine_messages: attackers * honest * rounds,
                rejected: attackers.min(1),
                discarded: messages / 5,
            },
            virtual_seconds: rounds as f64 * 0.0423,
            node_memory_bytes: [
                ("model and momentum", 636_080),
                ("gradient workspace", 412_160),
                ("vectors received", 8_269_040),
                ("data shard", 1_204_224),
            ]
            .map(|(name, bytes)| (name.to_owned(), bytes))
            .into(),
        }
    }

    fn toml(&self, arm: &Arm, seed: u64) -> String {
        let attack = arm.attack.map_or(String::new(), |name| {
            format!(
                "[attack]\nname = \"{name}\"\ncount = {}\nepsilon = 0.2\nreach = \"all\"\n\n",
                self.byzantine
            )
        });
        format!(
            "arm = \"{}\"\n\n[population]\nn = {}\nf = {}\n\n[task]\nname = \
             \"image-classification\"\ndata = \"embedded-digits\"\nmodel = \"mlp\"\nbatch = 25\n\
             split = \"dirichlet\"\nalpha = 1.0\n\n[algorithm]\nname = \"{}\"\nlearning-rate = \
             0.5\nmomentum = 0.99\n\n[rule]\nname = \"{}\"\n\n{attack}[network]\ndelay-ms-min = \
             5\ndelay-ms-max = 50\nloss = 0.01\n\n[run]\nrounds = {}\nevaluate-every = {}\nseed \
             = {seed}\n",
            arm.name,
            self.n,
            self.byzantine,
            if arm.name == "monna" { "monna" } else { "averaging-sgd" },
            arm.rule,
            self.rounds,
            self.every,
        )
    }
}

impl Arm {
    fn accuracy(
        &self,
        sample: &Sample,
        (round, node): (u32, u16),
        dice: &mut Dice,
    ) -> BTreeMap<String, f64> {
        let progress = 1.0 - rest(f64::from(round) / f64::from(sample.rounds));
        let below = if node == 1 { self.gap } else { self.gap * 0.4 * dice.share() };
        let noise = 0.02 * (dice.share() - 0.5);
        let accuracy = (0.1 + (self.limit - 0.1) * progress - below + noise).clamp(0.0, 1.0);
        [("accuracy".into(), accuracy), ("loss".into(), 2.3 * (1.0 - accuracy))].into()
    }

    fn loss(&self, sample: &Sample, round: u32, dice: &mut Dice) -> f64 {
        let share = f64::from(round) / f64::from(sample.rounds);
        let growth =
            self.diverges.map_or(1.0, |at| (1.0 + f64::from(round) / f64::from(at)).powi(12));
        let final_loss = 2.4 * (1.0 - self.limit);
        ((2.3 - final_loss) * rest(share) + final_loss) * (0.8 + 0.4 * dice.share()) * growth
    }
}

/// What is left to learn; multiplications alone, so that it is the same with every libm.
fn rest(share: f64) -> f64 {
    let fourth = (1.0 - share) * (1.0 - share) * (1.0 - share) * (1.0 - share);
    fourth * fourth
}

/// A small generator, so that samples are the same everywhere.
struct Dice(u64);

impl Dice {
    fn share(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// An empty folder for one test.
pub fn fresh(place: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report").join(place);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The only run folder whose name starts so.
pub fn run(experiment: &Path, start: &str) -> PathBuf {
    let entries = std::fs::read_dir(experiment).unwrap().map(|entry| entry.unwrap().path());
    let named = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with(start);
    let mut found: Vec<_> = entries.filter(named).collect();
    found.sort();
    found.remove(0)
}

pub fn write_json(path: &Path, value: &impl serde::Serialize) {
    std::fs::write(path, serde_json::to_string_pretty(value).unwrap()).unwrap();
}

pub fn blank(round: u32, node: u16, event: &str) -> Line {
    Line {
        t: u64::from(round) * 42_300_000 + u64::from(node),
        node,
        event: event.into(),
        round: Some(round),
        phase: None,
        loss: None,
        from: Vec::new(),
        scores: BTreeMap::new(),
        reason: None,
    }
}

pub fn push(record: &mut String, line: &Line) {
    writeln!(record, "{}", serde_json::to_string(line).unwrap()).unwrap();
}

fn node_summary(node: u16, rounds: u32, n: u16) -> NodeSummary {
    NodeSummary {
        node,
        rounds,
        scores: BTreeMap::new(),
        heard: vec![0; usize::from(n)],
        failed: None,
    }
}

fn environment(experiment: &str, seed: u64) -> Environment {
    Environment {
        version: "0.1.0".into(),
        commit: Some("ca31369d0f1e".into()),
        toolchain: "rustc 1.95.0".into(),
        platform: "linux x86_64".into(),
        threads: 2,
        wall_seconds: 11.7 + seed as f64,
        cpu_seconds: 20.5 + seed as f64,
        command: format!("phalanx run experiments/{experiment}.toml"),
    }
}
