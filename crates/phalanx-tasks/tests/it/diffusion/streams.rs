//! The counter-based normals that the reference implementation of the specification draws.
use phalanx_tasks::diffusion_control::{Normals, Purpose, Streams};

/// SplitMix64 in counter form and Box–Muller pairs, seeded per replication and purpose.
#[derive(Debug, Clone, Copy)]
pub struct ReferenceStreams {
    pub replication: u64,
}

impl Streams for ReferenceStreams {
    fn stream(&self, purpose: Purpose) -> Box<dyn Normals> {
        let stream = match purpose {
            Purpose::Process => 1,
            Purpose::Dither => 2,
            Purpose::Policy => 3,
            Purpose::InitialGain => 4,
        };
        let seed = 0x5EED_0000 + 1_000_003 * self.replication + 7919 * stream;
        Box::new(SplitMix { seed, count: 0, spare: None })
    }
}

pub struct SplitMix {
    seed: u64,
    count: u64,
    spare: Option<f64>,
}

impl SplitMix {
    pub fn new(seed: u64) -> Self {
        Self { seed, count: 0, spare: None }
    }

    pub fn word(&mut self) -> u64 {
        self.count += 1;
        let mut z = self.seed.wrapping_add(self.count.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn unit(&mut self) -> f64 {
        (self.word() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    pub fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let (first, second) = (self.unit(), self.unit());
        let radius = (-2.0 * (1.0 - first).ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * second).sin_cos();
        self.spare = Some(radius * sine);
        radius * cosine
    }
}

impl Normals for SplitMix {
    fn fill(&mut self, out: &mut [f64]) {
        out.iter_mut().for_each(|entry| *entry = self.normal());
    }
}

#[test]
fn the_words_and_normals_are_those_of_the_specification() {
    let mut words = SplitMix::new(1);
    let expected = [
        0x910a_2dec_8902_5cc1,
        0xbeeb_8da1_658e_ec67,
        0xf893_a2ee_fb32_555e,
        0x71c1_8690_ee42_c90b,
    ];
    assert_eq!([(); 4].map(|()| words.word()), expected);
    let mut normals = SplitMix::new(1);
    let expected = [-0.034_267_321_8, -1.292_608_533_2, -2.500_067_493_4, 0.911_466_586_4];
    for expected in expected {
        assert!((normals.normal() - expected).abs() < 1e-9);
    }
}
