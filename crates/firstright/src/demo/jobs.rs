//! Which jobs does the demo submit? Two that the holder of the right is offered: one it takes, one it lets lapse.

use std::time::Duration;

use firstright_core::fact::OfferId;
use firstright_core::world::World;
use firstright_dispatch::{Plane, Reply};

/// Whose jobs they are, in the sample world.
const TENANT: &str = "research";

/// Lapses unanswered, goes to the market, and is killed once: it resumes from its checkpoint.
const PRETRAIN: &str = r#"
name = "pretrain"
tenant = "research"
purpose = "training"
accelerators = ["gb200"]
count = 512
min-chunk = 256
hours = 2
command = """
step=$(cat step 2>/dev/null || echo 0)
while [ "$step" -lt 10 ]; do
  step=$((step + 1)); echo "$step" > step; echo "step $step on $FIRSTRIGHT_PROVIDER"
  if [ "$step" = 4 ] && [ "$FIRSTRIGHT_ATTEMPT" = 1 ]; then kill -9 $$; fi
  sleep 0.5
done
"""
"#;

/// The holder takes it.
const FINETUNE: &str = r#"
name = "finetune"
tenant = "research"
purpose = "fine-tuning"
model = "gpt-4o"
accelerators = ["h100"]
count = 64
hours = 1
command = "echo tuning on $FIRSTRIGHT_PROVIDER with $FIRSTRIGHT_ACCELERATORS accelerators; sleep 3; echo done"
"#;

/// How long the holder takes to answer the offer that it accepts.
const ANSWER_AFTER: Duration = Duration::from_secs(5);

/// Submits the jobs, and answers one offer as the holder would.
pub async fn play(plane: &Plane, law: &World) -> Result<(), String> {
    if law.find_tenant(TENANT).is_none() {
        return Ok(());
    }
    let submit = |name: &str, text: &str| plane.submit(format!("{name}.toml"), text.to_string());
    submit("pretrain", PRETRAIN).await.map_err(|problem| problem.message)?;
    submit("finetune", FINETUNE).await.map_err(|problem| problem.message)?;
    tokio::time::sleep(ANSWER_AFTER).await;
    let offers = plane.offers().await.map_err(|problem| problem.message)?;
    if let Some(offer) = offers.iter().find(|offer| offer.name == "finetune" && offer.state == "open") {
        let answered = plane.answer(OfferId(offer.id), offer.holder.clone(), Reply::Accept).await;
        answered.map_err(|problem| problem.message)?;
    }
    Ok(())
}

/// The state of offers and jobs, a line each.
pub async fn lines(plane: &Plane) -> Vec<String> {
    let (Ok(offers), Ok(jobs)) = (plane.offers().await, plane.jobs().await) else { return Vec::new() };
    let offers = offers.iter().map(|offer| {
        format!(
            "offer {} to {} for {}: {} (until {})",
            offer.id, offer.holder, offer.name, offer.state, offer.until
        )
    });
    let jobs = jobs.iter().map(|job| {
        let cost = job.cost.as_deref().unwrap_or("nothing yet");
        format!("job {} {}: {}, {} accelerators, owed {cost}", job.id, job.name, job.state, job.count)
    });
    offers.chain(jobs).collect()
}
