//! Flipped labels and a backdoor.
use phalanx_attack::poisoning::classical::{Trigger, flip_labels, shift_labels};
use phalanx_robust::Rng;

#[test]
fn labels_are_shifted_in_a_circle_and_flipped_at_the_middle() {
    let mut labels = [0, 4, 9];
    shift_labels(&mut labels, 10);
    assert_eq!(labels, [1, 5, 0]);
    flip_labels(&mut labels, 10);
    assert_eq!(labels, [8, 4, 9]);
}

#[test]
fn a_trigger_marks_its_share_and_nothing_else() {
    let trigger = Trigger { side: 3, class: 7 };
    let (mut images, mut labels) = (vec![0.25f32; 400 * 64], vec![1u8; 400]);
    let mut rng = Rng::stream(1, 0, "trigger");
    let count = trigger.plant((&mut images, 8), &mut labels, (0.3, &mut rng));
    assert!((80..160).contains(&count), "{count}");
    assert_eq!(labels.iter().filter(|label| **label == 7).count(), count);
    for (image, label) in images.chunks_exact(64).zip(&labels) {
        let bright = image.iter().filter(|pixel| **pixel == 1.0).count();
        assert_eq!(bright, if *label == 7 { 9 } else { 0 });
        assert_eq!((image[63], image[0]), (0.25, 0.25), "a border stays");
        assert_eq!(image[6 * 8 + 6] == 1.0, *label == 7);
    }
}
