//! Comma-separated values as RFC 4180 has them.

/// A table under construction.
pub(crate) struct Csv {
    text: String,
}

impl Csv {
    pub(crate) fn new<S: AsRef<str>>(head: &[S]) -> Self {
        let mut csv = Self { text: String::new() };
        csv.row(head);
        csv
    }

    pub(crate) fn row<S: AsRef<str>>(&mut self, cells: &[S]) {
        for (place, cell) in cells.iter().map(AsRef::as_ref).enumerate() {
            if place > 0 {
                self.text.push(',');
            }
            if cell.contains([',', '"', '\n', '\r']) {
                self.text.push('"');
                self.text.push_str(&cell.replace('"', "\"\""));
                self.text.push('"');
            } else {
                self.text.push_str(cell);
            }
        }
        self.text.push('\n');
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_letter_that_needs_quotes_gets_them() {
        let mut csv = Csv::new(&["a b"]);
        for cell in ["1,2", "say \"no\"", "two\nlines", "two\rlines"] {
            csv.row(&[cell, ""]);
        }
        let expected = "a b\n\"1,2\",\n\"say \"\"no\"\"\",\n\"two\nlines\",\n\"two\rlines\",\n";
        assert_eq!(csv.finish(), expected);
    }
}
