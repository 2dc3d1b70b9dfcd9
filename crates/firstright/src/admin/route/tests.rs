use super::*;

#[test]
fn every_line_has_one_meaning() {
    let cases = [
        ("POST /admin/jobs", Ok(Route::Submit)),
        ("GET /admin/jobs", Ok(Route::Jobs)),
        ("GET /admin/jobs/7", Ok(Route::Job(7))),
        ("DELETE /admin/jobs/7", Ok(Route::Cancel(7))),
        ("GET /admin/jobs/7/logs", Ok(Route::Logs { job: 7, lease: None, offset: 0, follow: false })),
        (
            "GET /admin/jobs/7/logs?lease=2&offset=10&follow",
            Ok(Route::Logs { job: 7, lease: Some(2), offset: 10, follow: true }),
        ),
        ("POST /admin/jobs/7/quotes", Ok(Route::Quote(7))),
        ("GET /admin/offers", Ok(Route::Offers)),
        ("POST /admin/offers/3/answer", Ok(Route::Answer(3))),
        ("POST /admin/offers/3/counter", Ok(Route::Counter(3))),
        ("POST /admin/providers/azure-east/declare", Ok(Route::Declare("azure-east".to_string()))),
        ("POST /admin/providers/azure-east/lose", Ok(Route::Lose("azure-east".to_string()))),
        ("PUT /admin/jobs", Err(NoRoute::Method)),
        ("GET /admin/offers/3/answer", Err(NoRoute::Method)),
        ("GET /admin/jobs/x", Err(NoRoute::Path)),
        ("GET /admin/jobs/-1", Err(NoRoute::Path)),
        ("GET /admin/jobs/", Err(NoRoute::Path)),
        ("GET /admin", Err(NoRoute::Path)),
        ("GET /", Err(NoRoute::Path)),
        ("GET //admin/jobs", Err(NoRoute::Path)),
        ("GET /admin/jobs?x=1", Err(NoRoute::Query)),
        ("GET /admin/jobs/7/logs?offset=-1", Err(NoRoute::Query)),
        ("GET /admin/jobs/7/logs?from=1", Err(NoRoute::Query)),
    ];
    for (line, expected) in cases {
        let (method, target) = line.split_once(' ').unwrap();
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        assert_eq!(route(&method.parse().unwrap(), path, query), expected, "{line}");
    }
}
