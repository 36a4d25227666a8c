//! Several things at once.

use tokio::task::JoinSet;

use super::member::Answered;

/// Does all of them at once, and returns what came of each, in order. The first trouble ends the others; so does not waiting any
/// longer.
pub(super) async fn together<T: Send + 'static>(
    tasks: impl IntoIterator<Item = impl Future<Output = Answered<T>> + Send + 'static>,
) -> Answered<Vec<T>> {
    let mut under_way = JoinSet::new();
    for (number, task) in tasks.into_iter().enumerate() {
        under_way.spawn(async move { (number, task.await) });
    }
    let mut done: Vec<Option<T>> = std::iter::repeat_with(|| None).take(under_way.len()).collect();
    while let Some(ended) = under_way.join_next().await {
        let (number, came) = ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        done[number] = Some(came?);
    }
    Ok(done.into_iter().flatten().collect())
}
