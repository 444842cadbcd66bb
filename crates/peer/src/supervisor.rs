//! Watches the tasks of a peer. They end only when stopped, so one that ends otherwise, or panics,
//! is a failure of the peer, which is reported to its owner.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc};

use futures::FutureExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

#[derive(Clone, Debug)]
pub(crate) struct Supervisor(Arc<watch::Sender<Option<String>>>);

impl Supervisor {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// Runs a task that ends only when `stop` is canceled.
    pub(crate) fn watch<T: Future<Output = ()>>(
        &self,
        name: &'static str,
        stop: CancellationToken,
        task: T,
    ) -> impl Future<Output = ()> + use<T> {
        let supervisor = self.clone();
        async move {
            match AssertUnwindSafe(task).catch_unwind().await {
                Err(panic) => supervisor.fail(format!("{name} failed: {}", message(&*panic))),
                Ok(()) if !stop.is_cancelled() => {
                    supervisor.fail(format!("{name} stopped unexpectedly"))
                }
                Ok(()) => {}
            }
        }
    }

    /// The first failure is the cause of the later ones, and stays.
    pub(crate) fn fail(&self, reason: String) {
        tracing::error!(%reason, "the peer failed");
        self.0.send_if_modified(|known| {
            let first = known.is_none();
            known.get_or_insert(reason);
            first
        });
    }

    /// Resolves with the reason, once there is one.
    pub(crate) async fn failed(&self) -> String {
        let mut reason = self.0.subscribe();
        let reason = reason.wait_for(Option::is_some).await;
        let reason = reason.expect("its sender is owned by self");
        reason.clone().unwrap_or_default()
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_or_ends_is_a_failure_and_the_first_one_stays() {
        let (supervisor, stop) = (Supervisor::new(), CancellationToken::new());
        supervisor
            .watch("The server", stop.clone(), async {
                panic!("no {}", "luck")
            })
            .await;
        supervisor.watch("Presence", stop, async {}).await;
        assert_eq!(supervisor.failed().await, "The server failed: no luck");
    }

    #[tokio::test]
    async fn a_task_that_is_stopped_does_not_fail() {
        let (supervisor, stop) = (Supervisor::new(), CancellationToken::new());
        stop.cancel();
        supervisor.watch("Presence", stop, async {}).await;
        assert!(supervisor.failed().now_or_never().is_none());
    }
}
