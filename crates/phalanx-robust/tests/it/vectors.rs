//! Views of rows, and the shared vector.
use phalanx_robust::{ShapeError, Vector, Vectors};

#[test]
fn shapes_are_checked_once() {
    assert_eq!(Vectors::new(&[]).unwrap_err(), ShapeError::Empty);
    assert_eq!(Vectors::new(&[&[], &[]]).unwrap_err(), ShapeError::NoCoordinates);
    let error = Vectors::new(&[&[1.0, 2.0], &[1.0, 2.0], &[1.0]]).unwrap_err();
    assert_eq!(error, ShapeError::Unequal { row: 2, expected: 2, found: 1 });
    assert_eq!(error.to_string(), "vector `2` has length `1`, but vector `0` has length `2`");
}

#[test]
fn a_view_shows_rows_and_the_own_one() {
    let rows: [&[f32]; 2] = [&[1.0, f32::NAN, 3.0], &[4.0, 5.0, 6.0]];
    let vectors = Vectors::new(&rows).unwrap();
    assert_eq!((vectors.count(), vectors.dim()), (2, 3));
    assert_eq!((vectors.own(), vectors.own_index()), (None, None));
    let vectors = vectors.with_own(1);
    assert_eq!((vectors.own(), vectors.own_index()), (Some(rows[1]), Some(1)));
    assert_eq!(vectors.row(1), rows[1]);
    assert_eq!(vectors.rows().len(), 2);
}

#[test]
#[should_panic(expected = "own row 2 of 2")]
fn an_own_row_outside_is_a_bug() {
    let _ = Vectors::new(&[&[1.0], &[2.0]]).unwrap().with_own(2);
}

#[test]
fn a_vector_knows_whether_it_is_finite() {
    assert!(Vector::new(vec![]).is_finite());
    assert!(Vector::new(vec![f32::MAX, -0.0, 1e-45]).is_finite());
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert!(!Vector::new(vec![0.0, bad]).is_finite());
    }
}

#[test]
fn vectors_are_equal_bit_by_bit() {
    let nan = Vector::new(vec![f32::NAN]);
    assert_eq!(nan, nan.clone());
    assert_eq!(nan, Vector::new(vec![f32::NAN]));
    assert_ne!(nan, Vector::new(vec![-f32::NAN]));
    assert_ne!(Vector::new(vec![0.0]), Vector::new(vec![-0.0]));
    assert_ne!(Vector::new(vec![1.0]), Vector::new(vec![1.0, 1.0]));
    assert_eq!(nan.address(), nan.clone().address());
    assert_ne!(nan.address(), Vector::new(vec![f32::NAN]).address());
}

#[test]
fn weights_are_checked() {
    let rows: [&[f32]; 2] = [&[1.0], &[2.0]];
    let with = |weights: &'static [f64]| {
        Vectors::new(&rows)
            .unwrap()
            .with_weights(weights)
            .map(|vectors| vectors.weights().is_some())
    };
    assert_eq!(with(&[0.0, 2.0]), Ok(true));
    assert_eq!(with(&[1.0]), Err(ShapeError::WeightCount { expected: 2, found: 1 }));
    assert_eq!(with(&[1.0, -1.0]), Err(ShapeError::Weight { row: 1 }));
    assert_eq!(with(&[f64::NAN, 1.0]), Err(ShapeError::Weight { row: 0 }));
    assert_eq!(with(&[f64::INFINITY, 1.0]), Err(ShapeError::Weight { row: 0 }));
    assert_eq!(with(&[0.0, 0.0]), Err(ShapeError::WeightSum));
    assert_eq!(with(&[f64::MAX, f64::MAX]), Err(ShapeError::WeightSum));
}
