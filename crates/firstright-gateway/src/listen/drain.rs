//! Has somebody asked us to stop?

use tokio::sync::watch;

/// Makes the handle that asks for a drain and the view that waits for it. Dropping the handle asks as well.
pub fn drain() -> (watch::Sender<bool>, Drain) {
    let (ask, asked) = watch::channel(false);
    (ask, Drain { asked })
}

/// Waits for a drain; one for each listener.
#[derive(Debug, Clone)]
pub struct Drain {
    asked: watch::Receiver<bool>,
}

impl Drain {
    /// Returns once a drain has been asked for.
    pub async fn asked(&mut self) {
        // An error means that the asking side is gone: nobody could ever stop us otherwise.
        let _ = self.asked.wait_for(|asked| *asked).await;
    }
}
