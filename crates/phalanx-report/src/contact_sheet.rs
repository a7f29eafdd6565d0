//! Many small grey pictures on one sheet, as a PNG that any viewer shows.

/// Pixels between pictures.
const GAP: usize = 2;
/// Grey of the gaps.
const PAPER: u8 = 96;
/// Most bytes of one stored block of deflate.
const BLOCK: usize = 65_535;

/// Pictures side by side, each stretched so that its own darkest and brightest pixel are black and
/// white; a flat one is grey.
///
/// # Shape
/// `pictures`: rows of `width` times the same height; values may lie anywhere, what is not finite
/// is black.
pub fn contact_sheet(
    pictures: &[&[f32]],
    width: usize,
    (columns, scale): (usize, usize),
) -> Vec<u8> {
    let (columns, scale) = (columns.clamp(1, pictures.len().max(1)), scale.max(1));
    let height = pictures.first().map_or(0, |picture| picture.len() / width.max(1));
    let rows = pictures.len().div_ceil(columns);
    let (cell_w, cell_h) = (width * scale + GAP, height * scale + GAP);
    let (sheet_w, sheet_h) = (columns * cell_w + GAP, rows * cell_h + GAP);
    let mut sheet = vec![PAPER; sheet_w * sheet_h];
    for (index, picture) in pictures.iter().enumerate() {
        let (left, top) = (index % columns * cell_w + GAP, index / columns * cell_h + GAP);
        let finite = || picture.iter().copied().filter(|pixel| pixel.is_finite());
        let least = finite().fold(f32::INFINITY, f32::min);
        let most = finite().fold(f32::NEG_INFINITY, f32::max);
        let grey = |pixel: f32| match most - least {
            range if range > 0.0 => ((pixel - least) / range * 255.0).round() as u8,
            _ => 128,
        };
        for (y, x) in (0..height * scale).flat_map(|y| (0..width * scale).map(move |x| (y, x))) {
            let pixel = picture[y / scale * width + x / scale];
            sheet[(top + y) * sheet_w + left + x] = grey(pixel);
        }
    }
    png(&sheet, (sheet_w, sheet_h))
}

/// An 8-bit grey PNG without compression.
fn png(pixels: &[u8], (width, height): (usize, usize)) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = Vec::new();
    header.extend((width as u32).to_be_bytes());
    header.extend((height as u32).to_be_bytes());
    header.extend([8, 0, 0, 0, 0]);
    chunk(&mut file, b"IHDR", &header);
    // Every line opens with its filter: none.
    let lines = pixels.chunks(width.max(1));
    let raw: Vec<u8> =
        lines.flat_map(|line| std::iter::once(0).chain(line.iter().copied())).collect();
    let mut data = vec![0x78, 0x01];
    let blocks = raw.chunks(BLOCK);
    let count = blocks.len();
    for (index, block) in blocks.enumerate() {
        data.push(u8::from(index + 1 == count));
        data.extend((block.len() as u16).to_le_bytes());
        data.extend((!(block.len() as u16)).to_le_bytes());
        data.extend(block);
    }
    data.extend(adler(&raw).to_be_bytes());
    chunk(&mut file, b"IDAT", &data);
    chunk(&mut file, b"IEND", &[]);
    file
}

fn chunk(file: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    file.extend((data.len() as u32).to_be_bytes());
    let start = file.len();
    file.extend(kind);
    file.extend(data);
    let sum = crc(&file[start..]);
    file.extend(sum.to_be_bytes());
}

fn adler(data: &[u8]) -> u32 {
    let step = |(a, b): (u32, u32), byte: &u8| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    };
    let (a, b) = data.iter().fold((1, 0), step);
    b << 16 | a
}

fn crc(data: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in data {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 };
        }
    }
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    // Check values of the two algorithms' definitions.
    #[test]
    fn checksums_are_the_standards() {
        assert_eq!(crc(b"123456789"), 0xCBF4_3926);
        assert_eq!(adler(b"Wikipedia"), 0x11E6_0398);
    }

    #[test]
    fn a_sheet_has_the_size_of_its_cells_and_shows_each_picture_in_its_own_range() {
        let (dark, bright): (Vec<f32>, Vec<f32>) = (vec![-50.0, 50.0, 0.0, f32::NAN], vec![7.0; 4]);
        let file = contact_sheet(&[&dark, &bright, &dark], 2, (2, 3));
        assert_eq!(&file[1..4], b"PNG");
        let number =
            |at: usize| u32::from_be_bytes([file[at], file[at + 1], file[at + 2], file[at + 3]]);
        assert_eq!((number(16), number(20)), (2 * (6 + 2) + 2, 2 * (6 + 2) + 2));
        // Behind signature, IHDR, IDAT's head, zlib's and the block's: line 2 is the first of
        // pixels.
        let line = &file[8 + 25 + 8 + 2 + 5 + 2 * 19..][..19];
        assert_eq!(line[1..12], [96, 96, 0, 0, 0, 255, 255, 255, 96, 96, 128]);
        assert!(!contact_sheet(&[], 2, (2, 3)).is_empty());
    }
}
