//! Numbers that the specification's own programs computed (section 7.4).
use phalanx_tasks::safe_control::dynamics::{Dynamics, Linearised};
use phalanx_tasks::safe_control::plant::{PLANTS, check_derivatives};

use super::{assert_close, barrier, embedded, entry};

const TIGHT: f64 = 1e-8;

#[test]
fn dubins_has_the_barrier_step_and_derivatives_of_the_reference() {
    let entry = entry("dubins");
    let (state, input) = ([0.5, 0.3, 0.7], [1.2, -0.4]);
    let (mut value, mut slope) = ([0.0], [0.0; 3]);
    barrier(entry).slope(0, &state, &mut value, &mut slope).unwrap();
    assert_close(&value, &[2.116738806254619], 1e-12);
    assert_close(&slope, &[1.3720136513, -0.4411493746, 0.0], TIGHT);
    let mut model = embedded(entry);
    let mut at = [0.0; 4];
    model.embed(0, &state, &mut at).unwrap();
    let (mut next, mut by_state, mut by_input) = ([0.0; 4], [0.0; 16], [0.0; 8]);
    let into = Linearised { next: &mut next, by_state: &mut by_state, by_input: &mut by_input };
    model.linearise(&at, &input, into).unwrap();
    assert_close(&next, &[0.5458905312, 0.3386530612, 0.68, 2.1641881272], TIGHT);
    assert_close(&by_state[12..], &[1.3953133154, -0.3861276283, -0.071652733, 0.0], TIGHT);
    assert_close(&by_input[6..], &[0.040922212, 0.0], TIGHT);
    let mut stepped = [0.0; 4];
    model.step(&at, &input, &mut stepped).unwrap();
    assert_eq!(stepped, next);
}

#[test]
fn start_and_goal_of_dubins_have_the_barriers_of_the_reference() {
    let entry = entry("dubins");
    let problem = (entry.problem)();
    let mut value = [0.0];
    for (state, expected) in [(&problem.start, 1.6103052435), (&problem.goal, 11.1459210723)] {
        barrier(entry).value(0, state, &mut value).unwrap();
        assert_close(&value, &[expected], 1e-9);
    }
}

#[test]
fn quadrotor_has_the_rates_of_the_reference() {
    let state = [0.1, -0.2, 0.3, 0.4, -0.5, 0.6, 1.0, -2.0, 0.5, 3.0, 1.0, -1.0];
    let mut rate = [0.0; 12];
    (entry("quadrotor").flow)().rate(&state, &[0.7, 0.1, -0.2, 0.3], &mut rate).unwrap();
    let expected = [
        0.2891002199,
        -0.5574021326,
        0.5582128839,
        0.1,
        -0.2,
        0.3,
        0.9989461351,
        0.559843705,
        -0.6435790902,
        1.4826044755,
        -1.6766714934,
        0.4905677044,
    ];
    assert_close(&rate, &expected, TIGHT);
}

#[test]
fn derivatives_of_every_plant_agree_with_differences() {
    let quadrotor = [0.1, -0.2, 0.3, 0.4, -0.5, 0.6, 1.0, -2.0, 0.5, 3.0, 1.0, -1.0];
    for entry in PLANTS {
        let n = entry.states.len();
        let state: Vec<f64> = quadrotor.iter().cycle().take(n).map(|x| 0.7 * x + 0.05).collect();
        let input = &[0.7, 0.1, -0.2, 0.3][..entry.inputs.len()];
        let report = check_derivatives(&mut *entry.dynamics(), &state, input).unwrap();
        println!("{report}");
        assert!(report.hessian.is_some(), "{report}");
        assert!(report.is_within(1e-6), "{report}");
        for contraction in [0.0, 0.3] {
            use phalanx_tasks::safe_control::barrier::SafetyEmbedded;
            let dynamics = entry.dynamics();
            let mut model = SafetyEmbedded::new(dynamics, barrier(entry), contraction).unwrap();
            let mut at = vec![0.0; n + 1];
            model.embed(0, &state, &mut at).unwrap();
            at[n] += 0.1;
            let report = check_derivatives(&mut model, &at, input).unwrap();
            println!("{report}");
            assert!(report.is_within(1e-6), "{report}");
        }
    }
}
