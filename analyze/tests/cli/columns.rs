//! Every column that a real table has is documented, and every documented one exists.

use std::collections::BTreeSet;
use std::fs;

use analyze::cli::Cli;
use analyze::tables::columns::{TABLES, markdown};
use clap::CommandFactory;

use crate::planted::{analyze, analyze_in};
use crate::sweeps::{SWEEP, sweep};

/// Names of what is documented beside commands: tables behind plots, and files.
const NO_COMMANDS: [&str; 6] = ["latency", "phases", "operations", "faults", "samples.parquet", "final_state"];
/// Commands with `--format` that write no table of their own.
const NO_TABLES: [&str; 2] = ["plot", "diagram"];

#[test]
fn tables_have_the_columns_that_are_documented_and_no_others() {
    let results = tempfile::tempdir().expect("a folder");
    sweep(results.path(), SWEEP, 2, 0);
    let runs = run_folder::RunFolder::list(results.path()).expect("runs");
    let (a, b) = (runs[0].name(), runs[1].name());
    // Every variant of every command that writes a table; whoever adds one adds it here and to the documentation.
    let variants: &[(&str, &[&str])] = &[
        ("list", &["list"]),
        ("summary", &["summary"]),
        ("throughput", &["throughput"]),
        ("throughput", &["throughput", "--by", "member"]),
        ("delta", &["delta"]),
        ("delta", &["delta", "--by", "run"]),
        ("cdf", &["cdf"]),
        ("latency", &["plot", "--kind", "latency"]),
        ("phases", &["plot", "--kind", "phases"]),
        ("samples", &["samples"]),
        ("compare", &["compare", &a, &b]),
        ("compare-sets", &["compare", "delay5_mid", "delay20_mid"]),
        ("severity", &["severity"]),
        ("crossings", &["severity", "--crossings"]),
        ("recovery", &["recovery"]),
        ("recovery", &["recovery", "--by", "run"]),
        ("causes", &["causes"]),
        ("verdict", &["verdict"]),
        ("verdict", &["verdict", "--by", "run"]),
        ("verdict", &["verdict", "--by", "sweep"]),
        ("check", &["check"]),
        ("gate", &["gate", "--rule", "during.p99 <= 3 * before"]),
    ];
    let mut found: std::collections::BTreeMap<&str, BTreeSet<String>> = Default::default();
    for (table, args) in variants {
        let (code, out, err) = analyze_in(results.path(), &[args, &["--format", "csv"][..]].concat());
        assert!([0, 4, 5].contains(&code), "{args:?}: {err}");
        let header = out.lines().next().expect("a header");
        found.entry(table).or_default().extend(header.split(',').map(str::to_owned));
    }
    let header = |out: &[u8]| String::from_utf8_lossy(out).lines().next().expect("a header").to_owned();
    let own = header(&analyze(&["columns", "--format", "csv"]).stdout);
    found.entry("columns").or_default().extend(own.split(',').map(str::to_owned));
    for (table, found) in &found {
        let documented = TABLES.iter().find(|known| known.name == *table).unwrap_or_else(|| panic!("{table}"));
        let documented: BTreeSet<String> = documented.names().into_iter().map(|(name, _)| name).collect();
        let missing: Vec<_> = found.difference(&documented).collect();
        assert!(missing.is_empty(), "{table}: not documented in tables/columns: {missing:?}");
        let gone: Vec<_> = documented.difference(found).collect();
        assert!(gone.is_empty(), "{table}: documented, but there is no such column: {gone:?}");
    }
    let commands: BTreeSet<String> = Cli::command()
        .get_subcommands()
        .filter(|command| command.get_arguments().any(|argument| argument.get_id() == "format"))
        .map(|command| command.get_name().to_owned())
        .filter(|command| !NO_TABLES.contains(&command.as_str()))
        .collect();
    for command in &commands {
        assert!(found.contains_key(command.as_str()), "`analyze {command}` writes a table that nobody documents");
    }
    for table in TABLES.iter().filter(|table| !NO_COMMANDS.contains(&table.name)) {
        assert!(found.contains_key(table.name), "{} is documented, but no variant of it is looked at", table.name);
    }
}

#[test]
fn columns_in_every_format() {
    let run = |args: &[&str]| {
        let output = analyze(&[&["columns"], args].concat());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, out, err) = run(&["summary"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.contains("\nsummary (analyze summary)\n"), "{out}");
    assert!(out.contains("\none row a run, kind of operation and phase\n"), "{out}");
    assert!(out.contains("{time}_p99_ms") && out.contains("{time}: service, response"), "{out}");
    let (_, out, _) = run(&[]);
    let long: Vec<_> = out.lines().filter(|line| line.chars().count() > 120).collect();
    assert!(long.is_empty(), "{long:?}");
    let (_, json, _) = run(&["delta", "--format", "json"]);
    let rows: serde_json::Value = serde_json::from_str(&json).expect("json");
    let names: Vec<_> = rows.as_array().expect("rows").iter().filter_map(|row| row["column"].as_str()).collect();
    assert!(names.contains(&"response_p99_ms_ratio_low"), "{names:?}");
    let (code, out, err) = run(&["sumary"]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.starts_with("error: sumary: no such table; the tables are summary, "), "{err}");
}

#[test]
fn the_page_of_columns_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/COLUMNS.md");
    let page = fs::read_to_string(path).unwrap_or_default();
    let made = markdown(&TABLES.iter().collect::<Vec<_>>());
    assert!(
        page == made,
        "write it anew: cargo run -p analyze -- columns --format markdown --output analyze/COLUMNS.md"
    );
}
