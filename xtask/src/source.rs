//! Just enough of Rust's syntax to find functions, test modules and constants in a file.
use std::ops::Range;

/// A source file with comments and literals blanked, character for character.
#[derive(Debug)]
pub struct Code {
    code: Vec<char>,
    original: Vec<char>,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// its name
    pub name: String,
    /// line of its `fn`, from 1
    pub line: usize,
    /// lines from there to its closing brace
    pub lines: usize,
}

impl Code {
    /// Blanks comments, strings and character literals; line breaks stay.
    pub fn new(source: &str) -> Self {
        let original: Vec<char> = source.chars().collect();
        let mut code = original.clone();
        let mut at = 0;
        while at < original.len() {
            let end = skip(&original, at);
            if end > at {
                let blank = |c: &mut char| *c = if *c == '\n' { '\n' } else { ' ' };
                code[at..end].iter_mut().for_each(blank);
                at = end;
            } else {
                at = word_end(&original, at).max(at + 1);
            }
        }
        Self { code, original }
    }

    /// The code without what was blanked.
    pub fn text(&self) -> String {
        self.code.iter().collect()
    }

    /// The original characters of a range.
    pub fn original(&self, range: Range<usize>) -> String {
        self.original[range].iter().collect()
    }

    /// Line of a position, from 1.
    pub fn line(&self, at: usize) -> usize {
        1 + self.code[..at].iter().filter(|c| **c == '\n').count()
    }

    /// Whole words of the code with their positions.
    pub fn words(&self) -> Vec<(usize, String)> {
        let mut words = Vec::new();
        let mut at = 0;
        while at < self.code.len() {
            let end = word_end(&self.code, at);
            if end > at {
                words.push((at, self.code[at..end].iter().collect()));
            }
            at = end.max(at + 1);
        }
        words
    }

    /// The braces that open at or after `from` before any `;` outside of brackets.
    pub fn block(&self, from: usize) -> Option<Range<usize>> {
        let mut depth = 0_i32;
        let open = (from..self.code.len()).find(|&at| {
            match self.code[at] {
                '(' | '[' => depth += 1,
                ')' | ']' => depth -= 1,
                _ => {}
            }
            depth == 0 && matches!(self.code[at], '{' | ';')
        })?;
        if self.code[open] == ';' {
            return None;
        }
        let mut depth = 0_i32;
        let close = (open..self.code.len()).find(|&at| {
            match self.code[at] {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            depth == 0
        })?;
        Some(open..close + 1)
    }

    /// Every function that has a body, nested ones included.
    pub fn functions(&self) -> Vec<Function> {
        let words = self.words();
        let pairs = words.windows(2).filter(|pair| pair[0].1 == "fn");
        let named = pairs.filter(|pair| {
            let between = &self.code[pair[0].0 + 2..pair[1].0];
            between.iter().all(|c| c.is_whitespace())
        });
        named
            .filter_map(|pair| {
                let body = self.block(pair[1].0)?;
                let line = self.line(pair[0].0);
                let lines = self.line(body.end - 1) - line + 1;
                Some(Function { name: pair[1].1.clone(), line, lines })
            })
            .collect()
    }

    /// Lines that modules behind `#[cfg(test)]` take.
    pub fn test_lines(&self) -> usize {
        let (text, words) = (self.text(), self.words());
        let mark = "#[cfg(test)]";
        let mut lines = 0;
        let mut until = 0;
        for (byte, _) in text.match_indices(mark) {
            let at = text[..byte].chars().count();
            let after = at + mark.len();
            let is_module = words.iter().find(|(from, _)| *from >= after);
            let is_module = is_module.is_some_and(|(_, word)| word == "mod");
            if at < until || !is_module {
                continue;
            }
            if let Some(body) = self.block(after) {
                lines += self.line(body.end - 1) - self.line(at) + 1;
                until = body.end;
            }
        }
        lines
    }
}

/// Where the comment or literal that begins at `at` ends; `at` when none begins there.
fn skip(source: &[char], at: usize) -> usize {
    let next = source.get(at + 1).copied();
    match (source[at], next) {
        ('/', Some('/')) => find(source, at, |at| source[at] == '\n'),
        ('/', Some('*')) => skip_block_comment(source, at),
        ('"', _) => skip_string(source, at),
        ('\'', Some('\\')) => find(source, at + 3, |at| source[at] == '\'') + 1,
        ('\'', Some(_)) if source.get(at + 2) == Some(&'\'') => at + 3,
        ('r' | 'b' | 'c', _) => skip_raw_string(source, at),
        _ => at,
    }
    .min(source.len())
}

fn find(source: &[char], from: usize, is_end: impl Fn(usize) -> bool) -> usize {
    (from..source.len()).find(|&at| is_end(at)).unwrap_or(source.len())
}

fn skip_block_comment(source: &[char], at: usize) -> usize {
    let (mut depth, mut at) = (0, at);
    while at + 1 < source.len() {
        match (source[at], source[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    source.len()
}

fn skip_string(source: &[char], at: usize) -> usize {
    let mut at = at + 1;
    while at < source.len() && source[at] != '"' {
        at += if source[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

fn skip_raw_string(source: &[char], at: usize) -> usize {
    let prefix = word_end(source, at);
    let word: String = source[at..prefix].iter().collect();
    let open = find(source, prefix, |at| source[at] != '#');
    if !["r", "br", "cr"].contains(&word.as_str()) || source.get(open) != Some(&'"') {
        return at;
    }
    let hashes = open - prefix;
    let is_close = |at: usize| {
        let rest = source.get(at + 1..at + 1 + hashes);
        source[at] == '"' && rest.is_some_and(|rest| rest.iter().all(|c| *c == '#'))
    };
    find(source, open + 1, is_close) + 1 + hashes
}

fn word_end(source: &[char], at: usize) -> usize {
    find(source, at, |at| !source[at].is_alphanumeric() && source[at] != '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_lines_kept() {
        let source = "let a = \"} // {\"; // }\nlet b = '}'; /* { /* } */ }\n */ let c: &'a u8;\n\
                      let d = r#\"\"}\"#; let e = b'\\''; let r#type = br\"{\";";
        let code = Code::new(source).text();
        assert!(!code.contains(['{', '}']), "{code}");
        assert_eq!(code.lines().count(), source.lines().count());
        assert!(code.contains("let c: &'a u8;"), "{code}");
        assert!(code.contains("let e = b"), "{code}");
        assert!(code.contains("type"), "{code}");
    }

    #[test]
    fn functions_are_measured_from_signature_to_brace() {
        let source = "fn a(x: [u8; 2]) -> u8 {\n    x[0]\n}\ntrait T {\n    fn b();\n}\n\
                      type F = fn(u8) -> u8;\nimpl X {\n    fn c(&self) {}\n}\n";
        let found = Code::new(source).functions();
        let expected = [("a", 1, 3), ("c", 9, 1)];
        let expected =
            expected.map(|(name, line, lines)| Function { name: name.into(), line, lines });
        assert_eq!(found, expected);
    }

    #[test]
    fn only_modules_behind_cfg_test_count_as_tests() {
        let source = "fn a() {}\n#[cfg(test)]\nfn only() {}\n#[cfg(test)]\nmod tests {\n\n}\n";
        assert_eq!(Code::new(source).test_lines(), 4);
        assert_eq!(Code::new("#[cfg(test)]\nmod tests;\nfn a() {\n}\n").test_lines(), 0);
    }
}
