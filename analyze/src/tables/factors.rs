//! What a run was, as tables and plots group, order and compare runs by it.

use std::cmp::Ordering;

use run_folder::Manifest;
use run_folder::manifest::Role;
use run_folder::spec::{Effect, FaultSpec, WorkloadSpec};
use serde_json::json;

/// A run's place among others.
#[derive(Debug, Clone, PartialEq)]
pub struct Factors {
    /// The run's label; repeats share it.
    pub label: String,
    /// The label with the fault's value replaced by `#`, as in `delay#_mid`: labels of one family differ in the value
    /// alone.
    pub family: String,
    /// What is done to packets, as in `delay 20ms`; absent without a fault.
    pub fault: Option<String>,
    /// The fault's size: milliseconds of delay or percent of loss.
    pub value: Option<f64>,
    /// What the run is for. Outside of sweeps: a baseline without a fault, a control with a null fault.
    pub role: Role,
    /// The sweep that it belongs to.
    pub sweep: Option<String>,
    /// Number of the repeat within the sweep, from 1.
    pub repeat: Option<u32>,
    /// Runs with the same text here can be compared: the same sweep (or none), workload, cluster and etcd version.
    pub cohort: String,
    /// Runs with the same text here are repeats of each other: the same cohort, label and fault.
    pub condition: String,
}

impl Factors {
    /// Takes them from a run's label and manifest.
    pub fn of(label: &str, manifest: &Manifest) -> Self {
        let spec = &manifest.spec;
        let place = manifest.sweep.as_ref();
        let sweep = place.map(|place| place.sweep.clone());
        let effect = spec.fault.as_ref().map(|fault| fault.effect);
        let workload = WorkloadSpec { attachment: spec.attachment_without_fault(), ..spec.workload.clone() };
        let is_known = manifest.knows("spec.fault");
        let cohort = json!([sweep, workload, spec.cluster, manifest.cluster.etcd_version]);
        Self {
            label: label.to_owned(),
            family: family(label, spec.fault.as_ref()),
            // What nobody knows is not nothing: such a run is no baseline.
            fault: if is_known { effect.map(|effect| effect.to_string()) } else { Some("unknown fault".to_owned()) },
            value: effect.and_then(value),
            role: match place {
                Some(place) => place.role,
                None if is_known => role(effect),
                None => Role::Experiment,
            },
            repeat: place.map(|place| place.repeat),
            condition: json!([cohort, label, spec.fault]).to_string(),
            cohort: cohort.to_string(),
            sweep,
        }
    }

    /// [`Self::condition`] without the sweep's id: runs of two sweeps that were made alike have the same.
    pub fn condition_anywhere(&self) -> String {
        let Ok(mut parts) = serde_json::from_str::<serde_json::Value>(&self.condition) else {
            return self.condition.clone();
        };
        if let Some(sweep) = parts.pointer_mut("/0/0") {
            *sweep = serde_json::Value::Null;
        }
        parts.to_string()
    }

    /// True when the run should show no effect of anything: without a fault, or with a null one.
    pub fn is_null(&self) -> bool {
        self.fault.is_none() || self.fault.as_deref() == Some(Effect::Null.to_string().as_str())
    }

    /// Order for reading: experiments, controls, baselines; families by name, and within one by the fault's value.
    pub fn reading_order(&self, other: &Self) -> Ordering {
        let rank = |role: Role| match role {
            Role::Experiment => 0,
            Role::Control => 1,
            Role::Baseline => 2,
            Role::Capacity => 3,
        };
        let value = |factors: &Self| factors.value.unwrap_or(0.0);
        self.sweep
            .cmp(&other.sweep)
            .then_with(|| rank(self.role).cmp(&rank(other.role)))
            .then_with(|| reading_order(&self.family, &other.family))
            .then_with(|| value(self).total_cmp(&value(other)))
            .then_with(|| reading_order(&self.label, &other.label))
            .then_with(|| self.condition.cmp(&other.condition))
    }
}

fn role(effect: Option<Effect>) -> Role {
    match effect {
        None => Role::Baseline,
        Some(Effect::Null) => Role::Control,
        Some(_) => Role::Experiment,
    }
}

fn value(effect: Effect) -> Option<f64> {
    match effect {
        Effect::Delay { delay_us, .. } => Some(delay_us as f64 / 1e3),
        Effect::Loss { loss_percent } => Some(loss_percent),
        Effect::Rate { bit_per_s } => Some(bit_per_s as f64 / 1e6),
        Effect::Pass | Effect::Null => None,
    }
}

/// The label with the number that is the fault's value replaced; the label where no number in it is.
fn family(label: &str, fault: Option<&FaultSpec>) -> String {
    let Some(value) = fault.and_then(|fault| value(fault.effect)) else { return label.to_owned() };
    let is_part = |c: char| c.is_ascii_digit() || c == '.';
    let mut from = 0;
    while let Some(at) = label[from..].find(|c: char| c.is_ascii_digit()).map(|at| from + at) {
        let end = label[at..].find(|c| !is_part(c)).map_or(label.len(), |length| at + length);
        if label[at..end].trim_end_matches('.').parse::<f64>() == Ok(value) {
            return format!("{}#{}", &label[..at], &label[end..]);
        }
        from = end;
    }
    label.to_owned()
}

/// Order of labels for reading: by words, and by value where they hold numbers, so that `delay20` comes before
/// `delay100`.
pub fn reading_order(a: &str, b: &str) -> Ordering {
    let parts = |text: &str| -> Vec<(String, u64)> {
        let mut parts = vec![(String::new(), 0_u64)];
        for c in text.chars() {
            let last = parts.last_mut().expect("there is always a part");
            match c.to_digit(10) {
                Some(digit) => last.1 = last.1.saturating_mul(10).saturating_add(digit.into()),
                None if last.1 > 0 => parts.push((c.to_string(), 0)),
                None => last.0.push(c),
            }
        }
        parts
    };
    parts(a).cmp(&parts(b)).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use run_folder::spec::{Direction, MechanismChoice, Scope, Target};

    use super::*;

    #[test]
    fn labels_are_read_by_value() {
        let mut labels = ["loss5_mid", "delay100_mid", "delay20_mid", "baseline", "delay20_full", "slowleader_mid20ms"];
        labels.sort_by(|a, b| reading_order(a, b));
        let expected = ["baseline", "delay20_full", "delay20_mid", "delay100_mid", "loss5_mid", "slowleader_mid20ms"];
        assert_eq!(labels, expected);
    }

    #[test]
    fn a_family_is_the_label_without_the_value_of_its_fault() {
        let delay = |ms: u64| Effect::delay(ms * 1000);
        let loss = |loss_percent| Effect::Loss { loss_percent };
        for (label, effect, expected) in [
            ("delay20_mid", delay(20), "delay#_mid"),
            ("slowleader_mid100ms", delay(100), "slowleader_mid#ms"),
            ("loss0.5_full", loss(0.5), "loss#_full"),
            ("c128_loss5_mid", loss(5.0), "c128_loss#_mid"),
            ("delay1s_mid", delay(1000), "delay1s_mid"),
            ("null_mid", Effect::Null, "null_mid"),
        ] {
            let fault = FaultSpec {
                effect,
                target: Target::Leader,
                scope: Scope::All,
                peer: None,
                direction: Direction::Egress,
                mechanism: MechanismChoice::Auto,
                at_ms: 0,
                for_ms: None,
            };
            assert_eq!(family(label, Some(&fault)), expected);
        }
        assert_eq!(family("baseline_2", None), "baseline_2");
    }
}
