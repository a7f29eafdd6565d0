//! Private rows of each member of a fleet, drawn from a listed plant.
use crate::safe_control::dynamics::DynamicsError;
use crate::safe_control::gp::Samples;
use crate::safe_control::plant::PlantEntry;
use crate::safe_control::stream::Stream;

/// Where members see their plant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// everywhere in the plant's region
    Uniform,
    /// each in a window of the third column (a heading, say) as wide as three shares of it
    Sectors,
}

/// The column that sectors divide.
const SECTOR_COLUMN: usize = 2;
/// Width of a sector, in shares.
const SECTOR_SHARES: f64 = 3.0;

/// Rows of a stream: points of the plant's region, and what is observed there, with `noise`.
///
/// `sector` is the member and the number of members, where members see sectors.
fn rows(
    plant: &PlantEntry,
    stream: &mut Stream,
    count: usize,
    (noise, sector): (f64, Option<(usize, usize)>),
) -> Result<Samples, DynamicsError> {
    let (region, n) = (&plant.region, plant.states.len());
    let columns = region.low.len();
    let mut points = stream.rows(count, region.low, region.high);
    if let Some((member, members)) = sector {
        let (low, high) = (region.low[SECTOR_COLUMN], region.high[SECTOR_COLUMN]);
        for at in points.iter_mut().skip(SECTOR_COLUMN).step_by(columns) {
            let within = (*at - low) / (high - low);
            let share = (member as f64 - 1.0 + SECTOR_SHARES * within) / members as f64;
            *at = low + (high - low) * share.rem_euclid(1.0);
        }
    }
    let mut outputs = vec![0.0; count * n];
    let (mut flow, mut motion) = ((plant.flow)(), plant.dynamics());
    for (point, out) in points.chunks_exact(columns).zip(outputs.chunks_exact_mut(n)) {
        let (state, input) = point.split_at(n);
        match region.is_rate {
            true => flow.rate(state, input, out)?,
            false => {
                motion.step(state, input, out)?;
                out.iter_mut().zip(state).for_each(|(next, state)| *next -= state);
            }
        }
    }
    let mut normals = vec![0.0; outputs.len()];
    stream.normals(&mut normals);
    outputs.iter_mut().zip(&normals).for_each(|(out, normal)| *out += noise * normal);
    Ok(Samples::new((columns, n), points, outputs).expect("a listed plant stays finite here"))
}

/// The rows of each of `members` members.
///
/// # Errors
/// [`DynamicsError`] when the plant leaves the numbers in its own region.
pub fn shares(
    plant: &PlantEntry,
    (members, count): (usize, usize),
    split: Split,
    seed: u64,
) -> Result<Vec<Samples>, DynamicsError> {
    let share = |member: usize| {
        let mut stream = Stream::new(stream_of(seed, member as u64));
        let sector = (split == Split::Sectors).then_some((member, members));
        rows(plant, &mut stream, count, (plant.region.noise, sector))
    };
    (0..members).map(share).collect()
}

/// Rows that nobody has, over the whole region: as measured, or without noise.
///
/// # Errors
/// [`DynamicsError`] when the plant leaves the numbers in its own region.
pub(super) fn held_out(
    plant: &PlantEntry,
    count: usize,
    seed: u64,
    is_measured: bool,
) -> Result<Samples, DynamicsError> {
    let noise = if is_measured { plant.region.noise } else { 0.0 };
    rows(plant, &mut Stream::new(stream_of(seed, u64::MAX)), count, (noise, None))
}

/// Seeds that are far from each other in every member and run.
fn stream_of(seed: u64, member: u64) -> u64 {
    Stream::new(seed.wrapping_add(member.wrapping_mul(0xD1B5_4A32_D192_ED03))).bits()
}
