//! Vantages: places in the network from which the recorder acts. Each has threads of its own. In the sandbox these have
//! entered the place's namespace; in a container's they have not, and an outpost there lends them its sockets.

use std::future::Future;
use std::sync::Arc;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

use super::network::Host;
use super::sockets::Sockets;
use crate::error::{Error, Result};

/// A place from which tasks act. Dropping the last clone ends its tasks.
#[derive(Debug, Clone)]
pub struct Vantage {
    handle: Handle,
    sockets: Sockets,
    _runtime: Arc<OwnedRuntime>,
}

/// A runtime that may be dropped inside another one.
#[derive(Debug)]
struct OwnedRuntime(Option<Runtime>);

impl Drop for OwnedRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Vantage {
    /// Makes a vantage at `host` with `threads` threads.
    ///
    /// # Errors
    /// [`Error::Environment`] when threads cannot be started.
    pub fn at(host: &Host, name: &str, threads: usize) -> Result<Self> {
        let namespace = host.namespace.clone();
        // Acting from the wrong namespace would bypass the fault and falsify the run.
        let enter = move || namespace.enter().expect("a thread may enter a namespace that this process made");
        Self::with_threads(name, threads, Sockets::Own, enter)
    }

    /// Makes a vantage whose threads stay in this process's namespace and take their sockets from `sockets`.
    ///
    /// # Errors
    /// As [`Vantage::at`].
    pub fn with_sockets(sockets: Sockets, name: &str, threads: usize) -> Result<Self> {
        Self::with_threads(name, threads, sockets, || ())
    }

    fn with_threads(
        name: &str,
        threads: usize,
        sockets: Sockets,
        enter: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name(name)
            .on_thread_start(move || {
                enter();
                // What a task here waits for, an answer or its time, is what is measured.
                crate::scheduling::wake_promptly();
            })
            .enable_all()
            .build()
            .map_err(|error| Error::environment(format!("threads for {name} cannot be started: {error}")))?;
        Ok(Self { handle: runtime.handle().clone(), sockets, _runtime: Arc::new(OwnedRuntime(Some(runtime))) })
    }

    /// Where tasks that act from here take their sockets; to be used by tasks that were started here.
    pub fn sockets(&self) -> &Sockets {
        &self.sockets
    }

    /// Starts a task at this place.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.handle.spawn(task)
    }

    /// Runs a task at this place and waits for it.
    ///
    /// # Errors
    /// [`Error::Run`] when the task panicked.
    pub async fn run<F>(&self, task: F) -> Result<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn(task).await.map_err(|error| Error::run(format!("a task of the recorder failed: {error}")))
    }
}
