//! The data sets by name: which files they need, where those are looked for, how to get them.
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::dataset::idx::BYTES_MAX;
use crate::dataset::{
    Dataset, DatasetError, Normalisation, Shape, TrainTest, cifar, digits, idx, synthetic,
};

/// A data set that an experiment can name.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// as experiments name it
    pub name: &'static str,
    /// what it is
    pub summary: &'static str,
    /// size of its images
    pub shape: Shape,
    /// training and test samples; for generated ones, what is made unless asked otherwise
    pub samples: (usize, usize),
    /// files it needs; none for embedded and generated ones
    pub files: &'static [&'static str],
    /// folders that are searched, in this order; relative ones within the data directory
    pub folders: &'static [&'static str],
    /// how to get it
    pub hint: &'static str,
    normalisation: Normalisation,
}

const IDX_FILES: &[&str] = &[
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];
const CLASSES: usize = 10;

/// Every data set, the default first.
pub const CATALOGUE: &[Known] = &[
    Known {
        name: "digits",
        summary: "10,000 handwritten digits of MNIST",
        shape: Shape::MNIST,
        samples: (digits::TRAIN, 2_000),
        files: &[],
        folders: &[],
        hint: "embedded in the program",
        normalisation: Normalisation::MNIST,
    },
    Known {
        name: "mnist",
        summary: "70,000 handwritten digits",
        shape: Shape::MNIST,
        samples: (60_000, 10_000),
        files: IDX_FILES,
        folders: &["mnist", "MNIST/raw"],
        hint: "put the four IDX files of MNIST, packed (.gz) or not, into the folder `mnist` \
               of the data directory; torchvision's `MNIST/raw` is found as well",
        normalisation: Normalisation::MNIST,
    },
    Known {
        name: "fashion-mnist",
        summary: "70,000 images of clothes by Zalando",
        shape: Shape::MNIST,
        samples: (60_000, 10_000),
        files: IDX_FILES,
        folders: &["fashion-mnist", "FashionMNIST/raw", "/usr/share/datasets/fashion-mnist"],
        hint: "on Debian and Ubuntu: apt install dataset-fashion-mnist; elsewhere put the four \
               IDX files of github.com/zalandoresearch/fashion-mnist, packed (.gz) or not, into \
               the folder `fashion-mnist` of the data directory",
        normalisation: Normalisation::FASHION_MNIST,
    },
    Known {
        name: "cifar10",
        summary: "60,000 colour photographs in ten classes (CIFAR-10)",
        shape: Shape::CIFAR,
        samples: (50_000, 10_000),
        files: &[
            "data_batch_1.bin",
            "data_batch_2.bin",
            "data_batch_3.bin",
            "data_batch_4.bin",
            "data_batch_5.bin",
            "test_batch.bin",
        ],
        folders: &["cifar10", "cifar-10-batches-bin"],
        hint: "unpack the binary version (www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz) in \
               the data directory; the Python version (cifar-10-batches-py) consists of pickles, \
               which are not read",
        normalisation: Normalisation::CIFAR,
    },
    Known {
        name: "synthetic-images",
        summary: "generated images of MNIST's shape, for tests and benchmarks",
        shape: Shape::MNIST,
        samples: (2_000, 500),
        files: &[],
        folders: &[],
        hint: "generated when it is used",
        normalisation: Normalisation::MNIST,
    },
    Known {
        name: "synthetic-cifar",
        summary: "generated images of CIFAR-10's shape, for tests and benchmarks",
        shape: Shape::CIFAR,
        samples: (2_000, 500),
        files: &[],
        folders: &[],
        hint: "generated when it is used",
        normalisation: Normalisation::CIFAR,
    },
];

/// What a search for one data set found.
#[derive(Debug, Clone)]
pub struct Finding {
    /// the data set
    pub known: &'static Known,
    /// folders that were searched
    pub searched: Vec<PathBuf>,
    /// the folder that holds most of its files, if any holds one
    pub folder: Option<PathBuf>,
    /// in the order of [`Known::files`]: path and size on disk, where found
    pub files: Vec<Option<(PathBuf, u64)>>,
}

impl Finding {
    /// Whether it can be loaded: nothing is absent. Content is checked when it is loaded.
    pub fn is_complete(&self) -> bool {
        self.files.iter().all(Option::is_some)
    }

    fn paths(&self) -> Result<Vec<&Path>, DatasetError> {
        let absent = |file| DatasetError::Missing {
            dataset: self.known.name,
            file,
            searched: self.searched.clone(),
            hint: self.known.hint,
        };
        let files = self.files.iter().zip(self.known.files);
        files
            .map(|(found, file)| match found {
                Some((path, _)) => Ok(path.as_path()),
                None => Err(absent(*file)),
            })
            .collect()
    }
}

/// Looks for every data set in and below the directory `data` and in the system's folders.
pub fn survey(data: &Path) -> Vec<Finding> {
    CATALOGUE.iter().map(|known| search(known, data)).collect()
}

fn search(known: &'static Known, data: &Path) -> Finding {
    let searched: Vec<PathBuf> = known.folders.iter().map(|folder| data.join(folder)).collect();
    let mut best = Finding { known, searched, folder: None, files: vec![None; known.files.len()] };
    let mut most = 0;
    for folder in &best.searched {
        let files: Vec<_> = known.files.iter().map(|file| locate(folder, file)).collect();
        let found = files.iter().flatten().count();
        if found > most {
            (most, best.folder, best.files) = (found, Some(folder.clone()), files);
        }
    }
    best
}

/// Finds a file, IDX files under the spellings in use: packed or not, `-idx3` or `.idx3`.
fn locate(folder: &Path, file: &str) -> Option<(PathBuf, u64)> {
    let mut spellings = vec![file.to_owned()];
    if file.contains("-idx") {
        let dotted = file.replacen("-idx", ".idx", 1);
        spellings.extend([format!("{file}.gz"), format!("{dotted}.gz"), dotted]);
    }
    spellings.iter().map(|name| folder.join(name)).find_map(|path| {
        let data = path.metadata().ok().filter(std::fs::Metadata::is_file)?;
        Some((path, data.len()))
    })
}

/// Loads the data set `name` from the directory `data` (not touched for embedded and generated
/// ones). `samples` limits training and test part; generated ones get as many as asked for.
///
/// # Errors
/// [`DatasetError`] when files are absent or damaged.
pub fn load(
    name: &str,
    data: &Path,
    samples: (Option<usize>, Option<usize>),
) -> Result<TrainTest, DatasetError> {
    let known = CATALOGUE.iter().find(|known| known.name == name).ok_or_else(|| {
        let known: Vec<_> = CATALOGUE.iter().map(|known| known.name).collect();
        DatasetError::Unknown { name: name.into(), known: known.join(", ") }
    })?;
    let mut loaded = match name {
        "digits" => digits::load()?,
        "cifar10" => load_cifar(known, &search(known, data).paths()?)?,
        _ if known.files.is_empty() => {
            let (train, test) = known.samples;
            let (train, test) = (samples.0.unwrap_or(train), samples.1.unwrap_or(test));
            return synthetic::generate(known.shape, train, test);
        }
        _ => load_idx(known, &search(known, data).paths()?)?,
    };
    for (part, limit) in [(&mut loaded.train, samples.0), (&mut loaded.test, samples.1)] {
        if let Some(limit) = limit {
            Arc::make_mut(part).truncate(limit);
        }
    }
    Ok(loaded)
}

fn load_idx(known: &Known, paths: &[&Path]) -> Result<TrainTest, DatasetError> {
    let part = |images: &Path, labels: &Path| -> Result<_, DatasetError> {
        let pixels = idx::parse(images, &read(images)?, 3)?;
        let sides = [("image height", known.shape.height), ("image width", known.shape.width)];
        for ((what, expected), found) in sides.into_iter().zip(&pixels.dims[1..]) {
            if *found != expected {
                let (found, expected) = (*found, expected.to_string());
                return Err(DatasetError::Shape { file: images.into(), what, found, expected });
            }
        }
        let classes = idx::parse(labels, &read(labels)?, 1)?;
        let header = classes.header_len();
        super::check_labels(labels, &classes.values, CLASSES, |at| header + at as u64)?;
        let (pixels, classes) = (pixels.values, classes.values);
        Ok(Arc::new(Dataset::new(images, (known.shape, CLASSES), pixels, classes)?))
    };
    let (train, test) = (part(paths[0], paths[1])?, part(paths[2], paths[3])?);
    Ok(TrainTest { train, test, normalisation: known.normalisation })
}

fn load_cifar(known: &Known, paths: &[&Path]) -> Result<TrainTest, DatasetError> {
    let part = |paths: &[&Path]| -> Result<_, DatasetError> {
        let (mut images, mut labels) = (Vec::new(), Vec::new());
        for path in paths {
            cifar::parse(path, &read(path)?, &mut images, &mut labels)?;
        }
        Ok(Arc::new(Dataset::new(paths[0], (Shape::CIFAR, cifar::CLASSES), images, labels)?))
    };
    let (train, test) = paths.split_at(paths.len() - 1);
    let (train, test) = (part(train)?, part(test)?);
    Ok(TrainTest { train, test, normalisation: known.normalisation })
}

/// Reads a whole file, but no more than any known data set needs.
fn read(path: &Path) -> Result<Vec<u8>, DatasetError> {
    let refused =
        |error: std::io::Error| DatasetError::Read { file: path.into(), reason: error.to_string() };
    let file = File::open(path).map_err(refused)?;
    let promised = file.metadata().map_err(refused)?.len();
    if promised > BYTES_MAX {
        let (promised, limit) = (promised.into(), BYTES_MAX);
        return Err(DatasetError::Oversized { file: path.into(), promised, limit });
    }
    let mut bytes = Vec::with_capacity(promised as usize);
    file.take(BYTES_MAX).read_to_end(&mut bytes).map_err(refused)?;
    Ok(bytes)
}
