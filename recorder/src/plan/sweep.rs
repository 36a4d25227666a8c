//! From a plan file to the runs of a sweep, in the order in which they are made. Pure: the same file with the same
//! options and seed gives the same runs.
//!
//! Each combination of a block's values is typed to `recorder run` as a person would type it, so that a plan can vary
//! whatever can be typed, and is checked by the same code.

use std::collections::HashMap;

use clap::Parser;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use run_folder::Label;
use run_folder::manifest::Role;
use run_folder::spec::{ClusterSpec, KeyDistribution, Pacing, RunSpec, WorkloadSpec};

use super::file::{Block, Combine, Factor, Located, PlanFile, WINDOW};
use crate::cli::{Cli, Command};
use crate::error::{Error, Result};
use crate::units;

/// Runs between two baselines where a plan does not say how many it wants.
const RUNS_PER_BASELINE: usize = 6;
/// Factors that a baseline does not have.
const OF_FAULTS: [&str; 11] =
    ["fault", "value", "at", "for", "target", "jitter", "distribution", "scope", "direction", "mechanism", "peer"];
/// Label of baselines.
const BASELINE: &str = "baseline";
/// The loop that measures what a cluster can do: enough operations under way to keep it busy, long enough for a mean.
const CAPACITY: &str = "capacity";
const CAPACITY_CONCURRENCY: u32 = 64;
const CAPACITY_MS: u64 = 5_000;
const CAPACITY_WARM_UP_MS: u64 = 2_000;
/// More runs than anybody means to make.
const RUNS_MAX: usize = 100_000;

/// What the command line puts in place of what the plan says.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--duration`.
    pub duration: Option<String>,
    /// `--repeat`.
    pub repeat: Option<u32>,
    /// `--seed`.
    pub seed: Option<u64>,
}

/// A run of a sweep, before it is given a folder.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// Number of the repeat, from 1.
    pub repeat: u32,
    /// What it is for.
    pub role: Role,
    /// What is run.
    pub spec: RunSpec,
}

/// The runs of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepPlan {
    /// Source of the order and of the runs' seeds.
    pub seed: u64,
    /// How often each run is repeated.
    pub repeat: u32,
    /// The runs in the order in which they are made.
    pub runs: Vec<Planned>,
}

/// Options of one run, as in `[("fault", "delay"), ...]`, with their lines.
type Options = Vec<(String, Located)>;

impl SweepPlan {
    /// Plans the sweep.
    ///
    /// # Errors
    /// A usage error that names the file and the line.
    pub fn new(file: &PlanFile, overrides: &Overrides) -> Result<Self> {
        let seed = overrides.seed.or(file.seed).unwrap_or_else(super::drawn_seed);
        let repeat = overrides.repeat.or(file.repeat).unwrap_or(1);
        let mut kinds = Vec::new();
        let mut bases: Vec<(Options, RunSpec)> = Vec::new();
        for block in &file.blocks {
            for options in combinations(file, block, overrides)? {
                let spec = spec_of(file, block, &options)?;
                let base = without_fault(&options);
                let base_spec = RunSpec { seed: 0, ..parse_run(file, block, BASELINE, &base)? };
                if !bases.iter().any(|(_, known)| *known == base_spec) {
                    bases.push((base, base_spec));
                }
                kinds.push((if block.is_control { Role::Control } else { Role::Experiment }, spec, block));
            }
        }
        let workloads = bases.len();
        let baselines = labelled(file, bases)?;
        check_labels(file, &kinds, &baselines)?;
        let default_count = kinds.len().div_ceil(RUNS_PER_BASELINE * workloads.max(1)) + 1;
        let count = file.baselines.map_or(default_count, |count| count as usize);
        let total = (kinds.len() + count * workloads).saturating_mul(repeat as usize);
        if total > RUNS_MAX {
            return Err(Error::usage(format!("{}: {total} runs are more than the {RUNS_MAX} of a sweep", file.name)));
        }
        let experiments: Vec<_> = kinds.into_iter().map(|(role, spec, _)| (role, spec)).collect();
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut runs: Vec<Planned> = Vec::new();
        for repeat in 1..=repeat {
            let mut order: Vec<&(Role, RunSpec)> = experiments.iter().collect();
            if file.shuffle {
                order.shuffle(&mut random);
            }
            for (role, spec) in interleaved(&order, &baselines, count) {
                let spec = RunSpec { seed: u64::from(random.random::<u32>()), ..spec.clone() };
                runs.push(Planned { repeat, role: *role, spec });
            }
        }
        let mut all = capacity_runs(&runs, &mut random);
        all.append(&mut runs);
        Ok(Self { seed, repeat, runs: all })
    }

    /// Time that the runs take after their warm-ups began, without what goes by between them; runs that only a number
    /// of operations limits count nothing.
    pub fn planned_ms(&self) -> u64 {
        self.runs.iter().map(|run| length_ms(&run.spec)).sum()
    }
}

/// Time that a run takes with its warm-up, as far as it is known.
pub fn length_ms(spec: &RunSpec) -> u64 {
    spec.workload.warm_up_ms + spec.planned_ms().unwrap_or(0)
}

/// The run that measures what the cluster of `spec` can do with its workload.
pub fn capacity_run(spec: &RunSpec) -> RunSpec {
    RunSpec {
        label: Label::new(CAPACITY).expect("a valid label"),
        seed: spec.seed,
        cluster: spec.cluster.clone(),
        workload: WorkloadSpec {
            pacing: Pacing::Closed,
            duration_ms: Some(CAPACITY_MS),
            operations: None,
            concurrency: CAPACITY_CONCURRENCY,
            rate_per_s: None,
            load: None,
            warm_up_ms: CAPACITY_WARM_UP_MS,
            attachment: spec.attachment_without_fault(),
            ..spec.workload.clone()
        },
        fault: None,
    }
}

/// Whether a capacity run measured what a run needs to know: the same cluster, asked in the same way.
pub fn is_capacity_of(capacity: &RunSpec, spec: &RunSpec) -> bool {
    let asked = |spec: &RunSpec| -> (ClusterSpec, WorkloadSpec) {
        let spec = capacity_run(spec);
        // How keys are chosen changes nothing that counts here, unless few keys are asked for most of the time.
        let key_distribution = match spec.workload.key_distribution {
            KeyDistribution::Zipfian => KeyDistribution::Zipfian,
            _ => KeyDistribution::Uniform,
        };
        (spec.cluster, WorkloadSpec { key_distribution, ..spec.workload })
    };
    asked(capacity) == asked(spec)
}

fn capacity_runs(runs: &[Planned], random: &mut Xoshiro256PlusPlus) -> Vec<Planned> {
    let mut found: Vec<Planned> = Vec::new();
    for run in runs.iter().filter(|run| run.spec.workload.load.is_some()) {
        if !found.iter().any(|capacity| is_capacity_of(&capacity.spec, &run.spec)) {
            let spec = RunSpec { seed: u64::from(random.random::<u32>()), ..capacity_run(&run.spec) };
            // Different workloads have different capacities, and labels tell what may be pooled.
            let label = if found.is_empty() { CAPACITY.to_owned() } else { format!("{CAPACITY}{}", found.len() + 1) };
            let spec = RunSpec { label: Label::new(label).expect("a valid label"), ..spec };
            found.push(Planned { repeat: 1, role: Role::Capacity, spec });
        }
    }
    found
}

/// The runs of one repeat with `count` rounds of baselines among them: before the first, after the last, and evenly
/// between; a single round comes first.
fn interleaved<'a>(
    runs: &[&'a (Role, RunSpec)],
    baselines: &'a [(Role, RunSpec)],
    count: usize,
) -> Vec<&'a (Role, RunSpec)> {
    let mut order = Vec::new();
    let mut rounds = 0;
    for at in 0..=runs.len() {
        while rounds < count && rounds * runs.len() <= at * (count - 1).max(1) {
            order.extend(baselines);
            rounds += 1;
        }
        order.extend(runs.get(at));
    }
    order
}

/// Every combination of a block's values, with the options that all runs have.
fn combinations(file: &PlanFile, block: &Block, overrides: &Overrides) -> Result<Vec<Options>> {
    let mut factors: Vec<Factor> = file.common.clone();
    factors.retain(|common| !block.factors.iter().any(|own| own.name == common.name));
    factors.extend(block.factors.iter().cloned());
    if let Some(duration) = &overrides.duration {
        factors.retain(|factor| factor.name != "duration");
        let text = duration.clone();
        factors.push(Factor { name: "duration".into(), values: vec![Located { text, line: block.line }] });
    }
    let mut combined = vec![Options::new()];
    match block.combine {
        Combine::Cross => {
            for factor in &factors {
                let with = |options: &Options| -> Vec<Options> {
                    let add = |value: &Located| [options.clone(), vec![(factor.name.clone(), value.clone())]].concat();
                    factor.values.iter().map(add).collect()
                };
                combined = combined.iter().flat_map(with).collect();
                if combined.len() > RUNS_MAX {
                    return Err(at_line(file, block.line, &format!("the lists make more than {RUNS_MAX} runs")));
                }
            }
        }
        Combine::Zip => {
            let longest = factors.iter().map(|factor| factor.values.len()).max().unwrap_or(1);
            if let Some(odd) = factors.iter().find(|factor| ![1, longest].contains(&factor.values.len())) {
                let (name, count, line) = (&odd.name, odd.values.len(), odd.values[0].line);
                let problem = format!(
                    "{name} has {count} values where another list has {longest}; combine = \"zip\" takes one of each"
                );
                return Err(at_line(file, line, &problem));
            }
            let value = |factor: &Factor, at: usize| factor.values[at.min(factor.values.len() - 1)].clone();
            let row = |at| factors.iter().map(|factor| (factor.name.clone(), value(factor, at))).collect();
            combined = (0..longest).map(row).collect();
        }
    }
    combined.into_iter().map(|options| with_window(file, options)).collect()
}

/// Turns `window` into the times of a fault: `full` from the start to the end, `mid` the middle third.
fn with_window(file: &PlanFile, options: Options) -> Result<Options> {
    let Some((_, window)) = options.iter().find(|(name, _)| name == WINDOW) else { return Ok(options) };
    let (window, of) = (window.clone(), |name: &str| options.iter().find(|(known, _)| known == name));
    match of("fault") {
        None => return Err(at_line(file, window.line, &format!("{WINDOW} places a fault, and there is none here"))),
        Some((_, fault)) if fault.text == "none" => return Ok(options),
        Some(_) => {}
    }
    if let Some((name, value)) = of("at").or(of("for")) {
        return Err(at_line(file, value.line, &format!("{name} and {WINDOW} both place the fault; leave one out")));
    }
    let mut times = Vec::new();
    match window.text.as_str() {
        "full" => {}
        "mid" => {
            let (_, duration) = of("duration")
                .ok_or_else(|| at_line(file, window.line, "window = \"mid\" needs the duration of the run"))?;
            let third_ms = units::seconds_ms("duration", &duration.text)
                .map_err(|error| at_line(file, duration.line, &error.to_string()))?
                / 3;
            for name in ["at", "for"] {
                times.push((name.to_owned(), Located { text: format!("{third_ms}ms"), line: window.line }));
            }
        }
        other => {
            return Err(at_line(file, window.line, &format!("{WINDOW} is \"full\" or \"mid\", not {other:?}")));
        }
    }
    Ok([options, times].concat())
}

fn spec_of(file: &PlanFile, block: &Block, options: &Options) -> Result<RunSpec> {
    let text = label(file, &block.label, options)?;
    if let Err(error) = Label::new(text.as_str()) {
        return Err(at_line(file, block.label.line, &error.to_string()));
    }
    parse_run(file, block, &text, options)
}

/// Types a run as a person would and plans it.
fn parse_run(file: &PlanFile, block: &Block, label: &str, options: &Options) -> Result<RunSpec> {
    let typed = options.iter().filter(|(name, _)| name != WINDOW);
    let typed = typed.map(|(name, value)| format!("--{name}={}", value.text));
    let arguments = ["recorder", "run", label].map(str::to_owned).into_iter().chain(typed);
    let planned = match Cli::try_parse_from(arguments) {
        Ok(Cli { command: Command::Run(typed) }) => super::run(&typed),
        Ok(_) => unreachable!("the arguments begin with run"),
        Err(error) => Err(Error::usage(first_sentence(&error.to_string()))),
    };
    planned.map(|planned| planned.spec).map_err(|error| {
        let problem = error.to_string();
        // The option that the message names tells the line.
        let named = options.iter().find(|(name, _)| mentions(&problem, name));
        at_line(file, named.map_or(block.line, |(_, value)| value.line), &problem)
    })
}

fn mentions(problem: &str, option: &str) -> bool {
    let option = format!("--{option}");
    problem.match_indices(&option).any(|(at, _)| {
        let after = problem[at + option.len()..].chars().next();
        after.is_none_or(|c| !(c.is_ascii_alphanumeric() || c == '-'))
    })
}

/// clap's message without its prefix and usage lines.
fn first_sentence(message: &str) -> String {
    let lines = message.lines().take_while(|line| !line.starts_with("Usage") && !line.starts_with("For more"));
    let text = lines.map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    text.strip_prefix("error: ").unwrap_or(&text).to_owned()
}

fn at_line(file: &PlanFile, line: usize, problem: &str) -> Error {
    Error::usage(format!("{}:{line}: {problem}", file.name))
}

/// Fills a template: `{factor}` is its value without what a label cannot hold, `{factor.number}` the number in it.
fn label(file: &PlanFile, template: &Located, options: &Options) -> Result<String> {
    let mut label = String::new();
    let mut rest = template.text.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        label += before;
        let (name, after) =
            after.split_once('}').ok_or_else(|| at_line(file, template.line, "label: a { is not closed"))?;
        let (factor, number_only) = name.strip_suffix(".number").map_or((name, false), |factor| (factor, true));
        let value = options.iter().find(|(known, _)| known == factor).map(|(_, value)| value.text.as_str());
        let value = value
            .ok_or_else(|| at_line(file, template.line, &format!("label: {{{name}}} names no option of this block")))?;
        let kept = |c: &char| if number_only { c.is_ascii_digit() || *c == '.' } else { Label::may_hold(*c) };
        label.extend(value.chars().filter(kept));
        rest = after;
    }
    Ok(label + rest)
}

/// Two different runs of one label would be taken for repeats.
fn check_labels(file: &PlanFile, kinds: &[(Role, RunSpec, &Block)], baselines: &[(Role, RunSpec)]) -> Result<()> {
    let mut seen = HashMap::new();
    for (_, spec, block) in kinds {
        let is_added = baselines.iter().any(|(_, baseline)| baseline.label == spec.label);
        if is_added || spec.label.as_str().starts_with(CAPACITY) {
            let problem =
                format!("the label {} is that of a run which the sweep adds itself; choose another", spec.label);
            return Err(at_line(file, block.label.line, &problem));
        }
        if seen.insert(spec.label.clone(), ()).is_some() {
            let problem = format!(
                "two different runs have the label {}; put what differs into it, as in {{value}} or {{target}}",
                spec.label
            );
            return Err(at_line(file, block.label.line, &problem));
        }
    }
    Ok(())
}

/// What is left of a run without its fault, the clients where they were.
fn without_fault(options: &Options) -> Options {
    let target = options.iter().find(|(name, _)| name == "target").map(|(_, value)| value.text.clone());
    let mut base: Options =
        options.iter().filter(|(name, _)| !OF_FAULTS.contains(&name.as_str()) && name != WINDOW).cloned().collect();
    for (name, value) in &mut base {
        // Without a fault, the target is the follower that would be hit by default.
        if name == "attach" && value.text == "target" {
            value.text = match target.as_deref() {
                None | Some("follower") => "target".to_owned(),
                Some("all") => "round-robin".to_owned(),
                Some(member) => member.to_owned(),
            };
        }
    }
    base.sort_by(|(a, _), (b, _)| a.cmp(b));
    base
}

/// The baselines, with what tells them apart in their labels.
fn labelled(file: &PlanFile, bases: Vec<(Options, RunSpec)>) -> Result<Vec<(Role, RunSpec)>> {
    let differs = |name: &str| {
        let value = |options: &Options| options.iter().find(|(known, _)| known == name).map(|(_, v)| v.text.clone());
        bases.iter().any(|(options, _)| value(options) != value(&bases[0].0))
    };
    let baseline = |(options, spec): &(Options, RunSpec)| {
        let mut label = BASELINE.to_owned();
        for (name, value) in options.iter().filter(|(name, _)| differs(name)) {
            label += &format!("_{name}{}", value.text.chars().filter(|c| Label::may_hold(*c)).collect::<String>());
        }
        let label = Label::new(label).map_err(|error| Error::usage(format!("{}: a baseline's {error}", file.name)))?;
        Ok((Role::Baseline, RunSpec { label, ..spec.clone() }))
    };
    bases.iter().map(baseline).collect()
}

#[cfg(test)]
mod tests;
