//! Every mistake a person can make gets one clear screen and exit code 2.
use std::path::Path;

use phalanx::experiment::{Experiment, Overrides, Registries};

use crate::program::{Said, Scratch, small};

/// What is said about a file whose text was changed.
fn complaint(from: &str, to: &str) -> String {
    let text = small(10);
    assert!(text.contains(from), "{from}");
    complaint_about(&text.replacen(from, to, 1))
}

fn complaint_about(text: &str) -> String {
    let file = Path::new("a.toml");
    match Experiment::parse(text, file, &Overrides::default(), &Registries::ALL) {
        Ok(_) => panic!("accepted: {text}"),
        Err(problem) => format!("{problem}\nhint: {}", problem.hint.as_deref().unwrap_or("")),
    }
}

#[test]
fn names_and_keys_are_suggested_with_their_line() {
    assert_eq!(
        complaint("algorithm  = { name = \"monna\"", "algorithm  = { name = \"mona\""),
        "unknown algorithm `mona`: a.toml:3\nhint: an algorithm with a similar name exists: `monna`"
    );
    assert_eq!(
        complaint("attack     =", "rule = { name = \"averag\" }\nattack ="),
        "unknown rule `averag`: a.toml:4\nhint: a rule with a similar name exists: `average`"
    );
    assert_eq!(
        complaint("learning-rate", "learing-rate"),
        "unknown parameter `learing-rate` of `monna`: a.toml:3\n\
         hint: a parameter with a similar name exists: `learning-rate`"
    );
    assert_eq!(
        complaint("loss = 0.1", "los = 0.1"),
        "unknown key `los` in `network`: a.toml:5\nhint: a key with a similar name exists: `loss`"
    );
    assert_eq!(
        complaint("population", "popluation"),
        "unknown key `popluation` of an experiment file: a.toml:1\n\
         hint: a key with a similar name exists: `population`"
    );
    assert_eq!(
        complaint("\"gaussian\"", "\"gaussian\", reach = \"al\""),
        "`attack.reach` is `al`, which is not one of its words: a.toml:4\n\
         hint: a word with a similar name exists: `all`"
    );
}

#[test]
fn numbers_out_of_range_are_refused() {
    let cases = [
        (
            "learning-rate = 0.2",
            "learning-rate = nan",
            "parameter `learning-rate` of `monna` is `NaN`",
        ),
        (
            "learning-rate = 0.2",
            "learning-rate = inf",
            "parameter `learning-rate` of `monna` is `inf`",
        ),
        ("loss = 0.1", "loss = 1.0", "`network.loss` is `1.0`, outside 0 to 0.999: a.toml:5"),
        ("loss = 0.1", "loss = 1e300", "`network.loss` is `1e300`, outside 0 to 0.999: a.toml:5"),
        ("n = 7", "n = \"7\"", "`population.n` is the text `7`, but a whole number is needed"),
        ("n = 7", "n = 7e0", "`population.n` is `7.0`, but a whole number is needed"),
        ("loss = 0.1", "loss = -0.1", "`network.loss` is `-0.1`, outside"),
        ("loss = 0.1", "delay-ms-min = 9, delay-ms-max = 5", "`delay-ms-min` is `9`, above"),
        ("n = 7", "n = 5000", "`population.n` is `5000`, outside 1 to 4096: a.toml:1"),
        ("n = 7", "n = 0", "`population.n` is `0`, outside 1 to 4096"),
        ("n = 7", "n = -7", "`population.n` is `-7`, outside 1 to 4096"),
        ("f = 1", "f = 7", "`f = 7` of `n = 7` nodes is not a population"),
        ("rounds = 10", "rounds = 1000000001", "`run.rounds` is `1000000001`, outside"),
        ("rounds = 10", "rounds = 0", "`run.rounds` is `0`, outside 1 to 1000000000"),
        ("seeds = [1]", "seeds = []", "`run.seeds` is empty: nothing would run: a.toml:6"),
        ("seeds = [1]", "seeds = [1, 1]", "seed `1` is listed twice: a.toml:6"),
        ("seeds = [1]", "seeds = 1", "`run.seeds` is `1`, but a list `[ .. ]` is needed"),
        ("\"gaussian\"", "\"gaussian\", count = 7", "`attack.count` is `7`, outside 0 to 6"),
        ("\"gaussian\"", "\"none\", count = 1", "`attack.count` is not 0, but nobody attacks"),
        ("n = 7", "n = 99999999999999999999", "this whole number needs more than 64 bits"),
        ("n = 7", "n = 1979-05-27", "a date has no meaning here"),
        ("n = 7", "n = 7, n = 8", "this is not TOML: duplicate key"),
        ("dim = 30", "dim = [30]", "`dim` of task `quadratic` is a list"),
        ("name = \"monna\"", "name = 5", "`name` is `5`, but a text is needed"),
    ];
    for (from, to, expected) in cases {
        let text = complaint(from, to);
        assert!(text.starts_with(expected), "{to}: {text}");
    }
}

#[test]
fn f_too_large_for_the_rule_says_how_large_it_may_be() {
    assert_eq!(
        complaint("f = 1", "f = 3"),
        "rule `nearest-neighbor-averaging` cannot tolerate `f = 3` among the first `4` vectors \
         that a node acts on: n ≥ 2f + 1 is needed there: a.toml:1\n\
         hint: with `n = 7` at most `f = 2` will do"
    );
}

#[test]
fn an_opening_that_cannot_sum_all_honest_steps_is_found_before_anything_runs() {
    // 6 of 7 nodes are honest, and a node acts on 6 vectors; with nobody lying all 7 are.
    let sound = small(10).replace("\"monna\"", "\"monna\", mode = \"published\"");
    let file = Path::new("a.toml");
    Experiment::parse(&sound, file, &Overrides::default(), &Registries::ALL).unwrap();
    let text = complaint_about(&sound.replace("\"gaussian\"", "\"gaussian\", count = 0"));
    let expected = "mode `published` of `monna` needs every node to collect exactly the `7` honest \
                    vectors in its first exchange, but it collects `6`: a.toml:3";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn arms_and_expectations_are_checked() {
    let with = |more: &str| complaint_about(&format!("{}{more}", small(10)));
    assert_eq!(
        with("[[arm]]\nname = \"a\"\n[[arm]]\nname = \"a\"\n"),
        "two arms are called `a`: a.toml:7\nhint: give every arm a name of its own"
    );
    assert!(with("[[arm]]\nset = {}\n").starts_with("an arm has no `name`: a.toml:7"));
    assert!(with("sweep = { \"attack.name\" = [] }\n").starts_with("`sweep.attack.name` is empty"));
    assert!(with("sweep = { attack.name = [\"nan\"] }\n").contains("quote dotted keys"));
    assert!(
        with("expect = { \"accuracy.wurst\" = { min = 1 } }\n")
            .contains("similar name exists: `worst`")
    );
    assert!(with("expect = { \"loss.mean\" = {} }\n").starts_with("`loss.mean` expects nothing"));
    assert_eq!(
        with(
            "[[arm]]\nname = \"monna\"\n\
              expect.\"loss.mean\".within = { arm = \"mona\", points = 1 }\n"
        ),
        "unknown arm `mona`: a.toml:9\nhint: an arm with a similar name exists: `monna`"
    );
    assert!(with("format = 2\n").starts_with("format `2`, but this version reads `1`: a.toml:7"));
    let huge: Vec<String> = (0..400).map(|seed| seed.to_string()).collect();
    let list = huge.join(", ");
    let sweep =
        format!("sweep = {{ \"task.dim\" = [{list}], \"run.evaluate-every\" = [{list}] }}\n");
    assert!(with(&sweep).starts_with("the sweep has more than `100000` points"));
}

#[test]
fn scores_that_the_task_does_not_measure_are_refused_before_anything_runs() {
    let with = |more: &str| complaint_about(&format!("{}{more}", small(10)));
    assert_eq!(
        with("[[arm]]\nname = \"a\"\nexpect.\"los.mean\" = { max = 1 }\n"),
        "task `quadratic` does not measure `los`: a.toml:9\n\
         hint: a score with a similar name exists: `loss`"
    );
    let select = |score: &str| {
        with(&format!(
            "[select]\nover = {{ \"algorithm.learning-rate\" = [0.1, 0.2] }}\n\
             for-each = [\"rule.name\"]\nseeds = [7]\n{score}"
        ))
    };
    let known = "hint: known: `accuracy`, `loss`";
    let images = small(10).replace("\"quadratic\", dim = 30", "\"image-classification\"");
    assert_eq!(
        complaint_about(&format!(
            "{images}[select]\nover = {{ \"algorithm.learning-rate\" = [0.1, 0.2] }}\n\
             for-each = [\"rule.name\"]\nseeds = [7]\nscore = \"beauty\"\n"
        )),
        format!("task `image-classification` does not measure `beauty`: a.toml:11\n{known}")
    );
    // What is selected over must be a task with a validation share; then the default is checked.
    assert!(select("").contains("quadratic"), "{}", select(""));
}

#[test]
fn missing_sections_say_what_to_write() {
    for (line, expected) in [
        ("population", "`population` is missing: a.toml\nhint: for example `population ="),
        ("task", "`task` is missing: a.toml\nhint: `phalanx list tasks`"),
        ("algorithm", "`algorithm` is missing: a.toml\nhint: `phalanx list algorithms`"),
        ("run", "`run.rounds` is missing: a.toml\nhint: for example `run ="),
    ] {
        let kept = small(10);
        let kept: Vec<&str> = kept.lines().filter(|text| !text.starts_with(line)).collect();
        let text = complaint_about(&kept.join("\n"));
        assert!(text.starts_with(expected), "{text}");
    }
    assert!(complaint_about("").starts_with("`population` is missing"));
}

fn refused(said: &Said, expected: &str) {
    assert_eq!(said.code, Some(2), "{}", said.err);
    assert!(said.err.contains(expected), "{}", said.err);
    assert!(said.out.is_empty(), "{}", said.out);
    assert!(said.err.lines().count() < 25, "more than a screen: {}", said.err);
}

#[test]
fn the_program_refuses_with_exit_code_2_and_a_hint() {
    let scratch = Scratch::new();
    scratch.write("a.toml", &small(10).replace("monna", "mona"));
    let said = scratch.phalanx(&["run", "a.toml"]);
    assert_eq!(
        said.err,
        "error: unknown algorithm `mona`: a.toml:3\n\n\
         hint: an algorithm with a similar name exists: `monna`\n"
    );
    refused(&said, "mona");
    refused(&scratch.phalanx(&["run", "absent.toml"]), "no such file or directory: absent.toml");
    refused(&scratch.phalanx(&["check", "."]), "cannot read the experiment file");
    refused(&scratch.phalanx(&["explain", "monnna"]), "a similar name exists: `monna`");
    refused(&scratch.phalanx(&["report", "absent"]), "no such folder: absent");
    refused(&scratch.phalanx(&["compare", "a", "b"]), "no such folder: a");
    refused(&scratch.phalanx(&["frobnicate"]), "unrecognized subcommand");
    refused(&scratch.phalanx(&["list", "rulez"]), "rules");
    assert!(!scratch.path().join("runs").exists(), "a refused file leaves nothing behind");
}

#[test]
fn missing_data_leave_nothing_behind() {
    let scratch = Scratch::new();
    let task = r#"{ name = "image-classification", dataset = "cifar10", model = "cifar-cnn" }"#;
    let text = small(10).replace(r#"{ name = "quadratic", dim = 30 }"#, task);
    scratch.write("a.toml", &text);
    let said = scratch.phalanx(&["run", "a.toml"]);
    refused(&said, "hint: unpack the binary version");
    refused(&said, "; `phalanx data` lists what is here");
    assert_eq!(said.err.matches("hint:").count(), 1, "one hint, the one that fits");
    refused(&scratch.phalanx(&["run", "a.toml", "--data", "nowhere"]), "does not exist: nowhere");
    assert!(!scratch.path().join("runs").exists());
}

#[test]
fn an_unwritable_run_folder_is_named() {
    let scratch = Scratch::new();
    scratch.write("a.toml", &small(10));
    scratch.write("occupied", "a file, not a folder");
    let said = scratch.phalanx(&["run", "a.toml", "--runs", "occupied"]);
    refused(&said, "error: cannot create the run folder: not a directory: occupied/a/monna-");
    refused(&said, "hint: choose a writable folder with `--runs` or `PHALANX_RUNS`");
}
