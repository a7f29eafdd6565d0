//! Loaders: small made-up files in a folder of their own, and every way they can be wrong.
use std::fs;
use std::path::{Path, PathBuf};

use phalanx_tasks::dataset::{CATALOGUE, DatasetError, Shape, load, survey};

/// An empty data directory that belongs to one test.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn idx(dims: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dims.len() as u8];
    bytes.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
    bytes.extend_from_slice(values);
    bytes
}

fn write_mnist(folder: &Path, labels: &[u8]) {
    fs::create_dir_all(folder).unwrap();
    let count = labels.len() as u32;
    let images: Vec<u8> = (0..count * 784).map(|at| (at % 251) as u8).collect();
    for part in ["train", "t10k"] {
        let images = idx(&[count, 28, 28], &images);
        fs::write(folder.join(format!("{part}-images-idx3-ubyte")), images).unwrap();
        let labels = idx(&[count], labels);
        fs::write(folder.join(format!("{part}-labels-idx1-ubyte")), labels).unwrap();
    }
}

#[test]
fn the_embedded_digits_are_what_their_readme_says() {
    let digits = load("digits", Path::new("no such folder"), (None, None)).unwrap();
    assert_eq!((digits.train.len(), digits.test.len()), (8_000, 2_000));
    let count = |labels: &[u8]| {
        (0..10).map(|class| labels.iter().filter(|label| **label == class).count()).collect()
    };
    let train: Vec<usize> = count(digits.train.labels());
    let test: Vec<usize> = count(digits.test.labels());
    assert_eq!(train, [810, 880, 802, 822, 777, 680, 820, 845, 766, 798]);
    assert_eq!(test, [191, 247, 189, 210, 203, 183, 194, 225, 178, 180]);
    let mut hasher = blake3::Hasher::new();
    for part in [&digits.train, &digits.test] {
        for index in 0..part.len() {
            hasher.update(part.image(index));
        }
    }
    let digest = hasher.finalize().to_hex();
    assert!(digest.starts_with(DIGITS_DIGEST), "{digest}");
}
/// First half of the BLAKE3 digest of all pixels.
const DIGITS_DIGEST: &str = "1897f3f3ffae3a39e2ce12ac13f48e07";

#[test]
fn digits_are_normalised_by_statistics_that_fit_them() {
    let digits = load("digits", Path::new("-"), (None, None)).unwrap();
    let count = (digits.train.len() * 784) as f64;
    let (mut sum, mut square) = (0.0, 0.0);
    for index in 0..digits.train.len() {
        for value in digits.train.image(index) {
            let number = f64::from(digits.normalisation.number(0, *value));
            sum += number;
            square += number * number;
        }
    }
    let mean = sum / count;
    let deviation = (square / count - mean * mean).sqrt();
    assert!(mean.abs() < 0.01 && (deviation - 1.0).abs() < 0.01, "{mean} {deviation}");
}

#[test]
fn idx_data_sets_are_found_in_every_spelling() {
    for (name, place) in
        [("mnist", "mnist"), ("mnist", "MNIST/raw"), ("fashion-mnist", "fashion-mnist")]
    {
        let data = folder(&format!("spelling-{}", place.replace('/', "-")));
        write_mnist(&data.join(place), &[0, 9, 5]);
        let from = data.join(place).join("train-images-idx3-ubyte");
        fs::rename(&from, data.join(place).join("train-images.idx3-ubyte")).unwrap();
        let loaded = load(name, &data, (None, None)).unwrap();
        assert_eq!(loaded.train.labels(), [0, 9, 5]);
        assert_eq!(loaded.test.shape(), Shape::MNIST);
        assert_eq!(loaded.train.image(1)[0], (784 % 251) as u8);
        let limited = load(name, &data, (Some(2), Some(1))).unwrap();
        assert_eq!((limited.train.len(), limited.test.len()), (2, 1));
    }
}

#[test]
fn a_missing_directory_is_told_with_places_and_hint() {
    let error = load("mnist", Path::new("nowhere"), (None, None)).unwrap_err();
    let text = error.to_string();
    for part in ["`mnist`", "`train-images-idx3-ubyte`", "nowhere/mnist", "\nhint: "] {
        assert!(text.contains(part), "{text}");
    }
    let error = load("cifar10", Path::new("nowhere"), (None, None)).unwrap_err();
    assert!(error.to_string().contains("pickles"), "{error}");
    let error = load("minst", Path::new("nowhere"), (None, None)).unwrap_err();
    assert!(error.to_string().contains("fashion-mnist"), "{error}");
}

#[test]
fn the_survey_tells_what_is_there_and_what_is_not() {
    let data = folder("survey");
    write_mnist(&data.join("mnist"), &[1, 2]);
    fs::remove_file(data.join("mnist/t10k-labels-idx1-ubyte")).unwrap();
    let findings = survey(&data);
    assert_eq!(findings.len(), CATALOGUE.len());
    for finding in findings {
        match finding.known.name {
            "digits" | "synthetic-images" | "synthetic-cifar" => assert!(finding.is_complete()),
            "mnist" => {
                assert!(!finding.is_complete());
                assert_eq!(finding.folder, Some(data.join("mnist")));
                let sizes: Vec<_> =
                    finding.files.iter().map(|file| file.as_ref().map(|file| file.1)).collect();
                assert_eq!(sizes, [Some(16 + 2 * 784), Some(8 + 2), Some(16 + 2 * 784), None]);
            }
            _ => assert!(!finding.searched.is_empty() && !finding.known.hint.is_empty()),
        }
    }
    let error = load("mnist", &data, (None, None)).unwrap_err();
    assert!(matches!(error, DatasetError::Missing { file: "t10k-labels-idx1-ubyte", .. }));
}

#[test]
fn damaged_mnist_files_are_refused_by_name_offset_and_expectation() {
    let data = folder("damaged");
    let mnist = data.join("mnist");
    let ask = || load("mnist", &data, (None, None)).unwrap_err();

    write_mnist(&mnist, &[0, 10, 5]);
    let error = ask();
    assert!(matches!(error, DatasetError::Label { at: 9, label: 10, classes: 10, .. }), "{error}");
    assert!(error.to_string().contains("train-labels"), "{error}");

    write_mnist(&mnist, &[0, 1, 5]);
    fs::write(mnist.join("train-labels-idx1-ubyte"), idx(&[2], &[0, 1])).unwrap();
    assert!(matches!(ask(), DatasetError::Shape { what: "the number of images", found: 3, .. }));

    write_mnist(&mnist, &[0]);
    fs::write(mnist.join("train-images-idx3-ubyte"), idx(&[1, 28, 27], &[0; 28 * 27])).unwrap();
    assert!(matches!(ask(), DatasetError::Shape { what: "image width", found: 27, .. }));

    write_mnist(&mnist, &[]);
    assert!(matches!(ask(), DatasetError::Shape { what: "the number of labels", found: 0, .. }));

    write_mnist(&mnist, &[0]);
    fs::write(mnist.join("t10k-images-idx3-ubyte"), [0, 0, 8]).unwrap();
    assert!(matches!(ask(), DatasetError::Truncated { expected: 16, found: 3, .. }));
}

fn write_cifar(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for (batch, name) in [
        "data_batch_1",
        "data_batch_2",
        "data_batch_3",
        "data_batch_4",
        "data_batch_5",
        "test_batch",
    ]
    .iter()
    .enumerate()
    {
        let record = |label: usize| {
            let mut record = vec![label as u8];
            record.extend((0..3072).map(|at| (at / 1024 * 10 + batch) as u8));
            record
        };
        fs::write(folder.join(format!("{name}.bin")), [record(batch), record(9)].concat()).unwrap();
    }
}

#[test]
fn cifar_records_are_read_in_the_order_of_the_files() {
    let data = folder("cifar");
    write_cifar(&data.join("cifar-10-batches-bin"));
    let loaded = load("cifar10", &data, (None, None)).unwrap();
    assert_eq!(loaded.train.labels(), [0, 9, 1, 9, 2, 9, 3, 9, 4, 9]);
    assert_eq!(loaded.test.labels(), [5, 9]);
    assert_eq!(loaded.train.shape(), Shape::CIFAR);
    let image = loaded.train.image(4);
    assert_eq!((image[0], image[1024], image[3071]), (2, 12, 22));
}

#[test]
fn damaged_cifar_files_are_refused() {
    let data = folder("damaged-cifar");
    let place = data.join("cifar10");
    write_cifar(&place);
    let path = place.join("data_batch_3.bin");
    let whole = fs::read(&path).unwrap();
    let ask = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        load("cifar10", &data, (None, None)).unwrap_err()
    };
    assert!(matches!(ask(&[]), DatasetError::Truncated { expected: 3073, found: 0, .. }));
    let error = ask(&whole[..whole.len() - 1]);
    assert!(matches!(error, DatasetError::Truncated { expected: 6146, found: 6145, .. }));
    let mut wrong = whole.clone();
    wrong[3073] = 10;
    assert!(matches!(ask(&wrong), DatasetError::Label { at: 3073, label: 10, .. }));
}

#[test]
fn synthetic_images_have_both_shapes_and_any_size() {
    for (name, shape) in [("synthetic-images", Shape::MNIST), ("synthetic-cifar", Shape::CIFAR)] {
        let made = load(name, Path::new("-"), (Some(30), Some(7))).unwrap();
        assert_eq!((made.train.len(), made.test.len()), (30, 7));
        assert_eq!(made.train.shape(), shape);
        assert_eq!(made.normalisation.channels.len(), shape.channels);
        let again = load(name, Path::new("-"), (Some(30), Some(7))).unwrap();
        assert_eq!(made.train, again.train);
    }
}
