//! What a container last said.

use bollard::query_parameters::LogsOptionsBuilder;
// tonic's streams are the ones that bollard returns; this is the trait that reads them.
use tonic::codegen::tokio_stream::StreamExt;

use super::Engine;
use super::calls::CALL_TIMEOUT;

/// How much of a log is looked at, however long its lines are.
const BYTES_MAX: usize = 64 * 1024;

impl Engine {
    /// The end of a container's log, for the end of an error message; empty when there is none to be had.
    pub async fn last_log_lines(&self, container: &str, count: usize) -> String {
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail(&count.to_string()).build();
        let mut text = String::new();
        let reading = async {
            let mut pieces = std::pin::pin!(self.docker.logs(container, Some(options)));
            while let Some(Ok(piece)) = pieces.next().await {
                text.push_str(&piece.to_string());
                if text.len() > BYTES_MAX {
                    break;
                }
            }
        };
        // Half a log is better than none, so neither an error nor the timeout matters here.
        let _ = tokio::time::timeout(CALL_TIMEOUT, reading).await;
        quoted(&text, count)
    }
}

/// The last lines of a text as the end of a message.
pub(super) fn quoted(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.is_empty() {
        return String::new();
    }
    format!("; its log ends with:\n  {}", lines[lines.len().saturating_sub(count)..].join("\n  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_quoted() {
        assert_eq!(quoted("", 3), "");
        assert_eq!(quoted("a\n\nb\nc\n", 2), "; its log ends with:\n  b\n  c");
    }
}
