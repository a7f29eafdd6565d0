//! The project speaks of itself alone: words of other places do not occur in its files.
use crate::repository::File;
use crate::tidy::Finding;

/// FNV-1a hashes of words and hosts in lower case, so that the list itself does not say them.
const FOREIGN: [u64; 14] = [
    0x3ca2_c495_53a4_57d7,
    0xaceb_adbd_2040_ebac,
    0xd02d_8a15_c0f8_e1e6,
    0xb643_37f6_e6e7_502f,
    0x2391_9480_3edf_98f7,
    0x2524_b426_1996_11b3,
    0x8a1b_8f4a_0a91_3503,
    0x7f7a_7547_86a6_64b8,
    0x0702_bf46_1365_8751,
    0xa233_cd01_de1d_da83,
    0x4622_376f_a414_0cb3,
    0xde35_e608_c3c2_ca95,
    0xac2c_9ab2_5e21_3f6f,
    0x1f62_1cab_7c0f_866e,
];

/// Checks every word of a text file. The lock file names where packages come from.
pub fn check(file: &File, findings: &mut Vec<Finding>) {
    let Some(text) = file.text.as_deref().filter(|_| !file.path.ends_with("Cargo.lock")) else {
        return;
    };
    for (at, line) in text.lines().enumerate() {
        if let Some(word) = foreign_word(line, &FOREIGN) {
            let what = format!("`{word}` is not a word of this project");
            let hint = "say it in the field's own words";
            findings.push(Finding::new(&file.path, at + 1, what, hint));
        }
    }
}

/// Words are letters and digits; hosts may have points and hyphens inside.
fn foreign_word<'a>(line: &'a str, foreign: &[u64]) -> Option<&'a str> {
    let words = line.split(|c: char| !c.is_alphanumeric());
    let hosts = line.split(|c: char| !c.is_alphanumeric() && c != '.' && c != '-');
    let hosts = hosts.map(|host| host.trim_matches('.')).filter(|host| host.contains('.'));
    words.chain(hosts).find(|word| !word.is_empty() && foreign.contains(&hash(word)))
}

fn hash(word: &str) -> u64 {
    let step = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    word.bytes().map(|byte| byte.to_ascii_lowercase()).fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_whole_in_any_case_and_not_within_others() {
        let foreign = [hash("mall"), hash("example.invalid")];
        assert_eq!(foreign_word("(a Mall's floor)", &foreign), Some("Mall"));
        assert_eq!(foreign_word("a small one", &foreign), None);
        assert_eq!(foreign_word("at https://example.invalid/x", &foreign), Some("example.invalid"));
        assert_eq!(foreign_word("see Example.Invalid.", &foreign), Some("Example.Invalid"));
        assert_eq!(foreign_word("an example, invalid", &foreign), None);
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!(hash(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash("foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn the_lock_file_may_say_where_packages_come_from() {
        let reversed = |host: &str| host.chars().rev().collect::<String>();
        let line = format!("source = \"{}\"", reversed("oi.setarc"));
        let mut findings = Vec::new();
        check(&File::new("Cargo.lock", &line), &mut findings);
        assert!(findings.is_empty());
        check(&File::new("deny.toml", &line), &mut findings);
        assert_eq!(findings.len(), 1);
    }
}
