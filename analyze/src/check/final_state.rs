//! What a key's entry in the final state says of its history.

use run_folder::FinalKey;

/// Contradictions between the number of writes that etcd counted since a key's creation and the writes that are known of it,
/// given by revision. `unknown_most` is how many more there may have been; `None` where anybody's number may have.
pub(super) fn versions(last: &FinalKey, known: &[i64], unknown_most: Option<usize>) -> Vec<String> {
    let FinalKey { key, create_revision, mod_revision, version } = *last;
    let since_creation =
        known.iter().filter(|revision| (create_revision..=mod_revision).contains(*revision)).count() as i64;
    let mut problems = Vec::new();
    if version < since_creation {
        problems.push(format!(
            "key {key} counts {version} writes since its creation at {create_revision}, but {since_creation} are known: some are lost"
        ));
    }
    if let Some(most) = unknown_most.filter(|&most| version > since_creation + most as i64) {
        problems.push(format!(
            "key {key} counts {version} writes since its creation at {create_revision}, but {since_creation} are known and \
             {most} more may have been done: some were done twice, or nobody wrote them"
        ));
    }
    problems
}
