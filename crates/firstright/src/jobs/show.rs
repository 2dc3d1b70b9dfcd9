//! How are jobs and offers printed? As plain tables, aligned, without a line that is too clever to grep.

use firstright_dispatch::board::{JobView, LeaseView, OfferView, TermsView};

/// Two spaces between columns; the last is not padded.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String]| {
        let padded: Vec<String> =
            cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    let head: Vec<String> = head.iter().map(|cell| cell.to_string()).collect();
    rows.iter().fold(line(&head), |all, row| all + &line(row))
}

pub(super) fn jobs(jobs: &[JobView]) -> String {
    let row = |job: &JobView| {
        vec![
            job.id.to_string(),
            job.name.clone(),
            job.tenant.clone(),
            job.purpose.clone(),
            job.count.to_string(),
            job.state.clone(),
            hours(job.accelerator_seconds),
            or_dash(job.cost.as_deref()),
            job.submitted.split('.').next().unwrap_or_default().to_string(),
        ]
    };
    let head = ["JOB", "NAME", "TENANT", "PURPOSE", "COUNT", "STATE", "HOURS", "COST", "SUBMITTED"];
    table(&head, &jobs.iter().map(row).collect::<Vec<_>>())
}

pub(super) fn job(job: &JobView) -> String {
    let mut out = jobs(std::slice::from_ref(job));
    if !job.leases.is_empty() {
        out.push('\n');
        out.push_str(&leases(&job.leases));
    }
    if !job.offers.is_empty() {
        out.push('\n');
        out.push_str(&offers(&job.offers));
    }
    if !job.why.is_empty() {
        out.push_str("\nWHY (record: decision)\n");
        job.why.iter().for_each(|line| out.push_str(&format!("{line}\n")));
    }
    out
}

fn leases(leases: &[LeaseView]) -> String {
    let row = |lease: &LeaseView| {
        vec![
            lease.id.to_string(),
            lease.place.clone(),
            lease.count.to_string(),
            or_dash(lease.hour.as_deref()),
            lease.attempt.to_string(),
            lease.resumes.map_or("-".to_string(), |lease| lease.to_string()),
            hours(lease.accelerator_seconds),
            or_dash(lease.cost.as_deref()),
            lease
                .problem
                .as_ref()
                .map_or_else(|| lease.state.clone(), |one| format!("{}: {one}", lease.state)),
        ]
    };
    let head = ["LEASE", "PLACE", "COUNT", "PER HOUR", "ATTEMPT", "RESUMES", "HOURS", "COST", "STATE"];
    table(&head, &leases.iter().map(row).collect::<Vec<_>>())
}

pub(super) fn offers(offers: &[OfferView]) -> String {
    let row = |offer: &OfferView| {
        let terms = offer.counter.as_ref().unwrap_or(&offer.terms);
        let TermsView { count, hour, duration } = terms;
        vec![
            offer.id.to_string(),
            format!("{} {}", offer.job, offer.name),
            offer.holder.clone(),
            offer.clause.clone(),
            count.to_string(),
            or_dash(hour.as_deref()),
            duration.clone(),
            offer.until.split('.').next().unwrap_or_default().to_string(),
            offer
                .answer
                .as_ref()
                .map_or_else(|| offer.state.clone(), |one| format!("{}: {one}", offer.state)),
        ]
    };
    let head = ["OFFER", "JOB", "HOLDER", "CLAUSE", "COUNT", "PER HOUR", "FOR", "UNTIL", "STATE"];
    table(&head, &offers.iter().map(row).collect::<Vec<_>>())
}

/// Accelerator-hours with two decimals, rounded down.
fn hours(seconds: u64) -> String {
    let hundredths = seconds / 36;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn or_dash(text: Option<&str>) -> String {
    text.unwrap_or("-").to_string()
}

#[cfg(test)]
mod tests;
