//! Do both listeners speak TLS as the configuration says, each with its own certificate?

use std::net::SocketAddr;

use firstright::config::{Config, read_law};
use firstright::serve;
use firstright_gateway::upstream::{Budgets, Client, PoolLimits, RequestHead, Target, Trust};
use rustls::RootCertStore;

use crate::world::{Folder, LAW, World, ask, bearer, clouds, configure, key_of};

const TOKEN: &str = "canary-admin-token";

/// Writes a self-signed certificate for `localhost` and its key, and says who trusts it.
fn certificate(folder: &Folder, name: &str) -> Trust {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_string()]).unwrap();
    folder.write(&format!("{name}.pem"), &made.cert.pem());
    folder.write(&format!("{name}.key"), &made.signing_key.serialize_pem());
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    Trust::roots(roots)
}

/// One request over TLS: its status and body.
fn ask_over(
    address: SocketAddr,
    trust: &Trust,
    (method, path): (&str, &str),
    key: &str,
    body: &str,
) -> Result<(u16, String), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let target = Target::tls("localhost", address.port(), trust.clone()).unwrap();
        let mut head = RequestHead::new(method, &target, path).unwrap();
        head.header("authorization", format!("Bearer {key}").as_bytes()).unwrap();
        head.header("content-type", b"application/json").unwrap();
        let client = Client::new(PoolLimits::default());
        let body = vec![body.to_string().into()];
        let sent = client.send(&target, head, body, &Budgets::default()).await;
        let mut answer = sent.map_err(|error| error.to_string())?;
        let body = answer.body.read_whole(1 << 20).await.unwrap();
        Ok((answer.status.as_u16(), String::from_utf8(body.to_vec()).unwrap()))
    })
}

#[test]
fn each_listener_has_its_own() {
    let folder = Folder::new();
    let clouds = clouds(|_| {});
    let (data, admin) = (certificate(&folder, "data"), certificate(&folder, "admin"));
    folder.write("token", &format!("{TOKEN}\n"));
    let tls = "tls = { certificate = \"data.pem\", key = \"data.key\" }";
    let path = configure(&folder, &clouds, LAW, tls);
    let text = std::fs::read_to_string(&path).unwrap();
    let token = folder.0.join("token");
    let admins = format!(
        "[admin]\ntls = {{ certificate = \"admin.pem\", key = \"admin.key\" }}\ntoken = {{ file = {token:?} }}\n"
    );
    // With TLS the admin API may listen elsewhere than on loopback.
    let text = text.replace("[admin]\nlisten = \"127.0.0.1:0\"", &format!("{admins}listen = \"0.0.0.0:0\""));
    let config = Config::read(&folder.write("firstright.toml", &text)).unwrap();
    let plane = serve::start(&config, read_law(&config.agreements).unwrap()).unwrap();

    let chat = ("POST", "/v1/chat/completions");
    let body = ask("gpt-4o").to_string();
    let (status, answer) = ask_over(plane.address(), &data, chat, &key_of("europe"), &body).unwrap();
    assert_eq!(status, 200, "{answer}");
    let jobs = ("GET", "/admin/jobs");
    assert_eq!(ask_over(plane.admin(), &admin, jobs, TOKEN, "").unwrap().0, 200);
    assert_eq!(ask_over(plane.admin(), &admin, jobs, "another token, as long", "").unwrap().0, 401);
    ask_over(plane.address(), &admin, chat, "", &body).unwrap_err();
    ask_over(plane.admin(), &data, jobs, TOKEN, "").unwrap_err();

    let world = World { clouds, plane, folder };
    let mut plain = world.connect();
    let _ = plain.request("POST", chat.1, &bearer("europe"), body.as_bytes());
    assert!(plain.read().is_err());
    // Commands on this machine find a listener of their own.
    let written = std::fs::read_to_string(world.folder.0.join("data/admin.toml")).unwrap();
    let local =
        written.lines().find_map(|line| line.strip_prefix("address = \"")).unwrap().trim_end_matches('"');
    let mut local = crate::world::Http::connect(local.parse().unwrap()).unwrap();
    local.request("GET", "/admin/jobs", &format!("authorization: Bearer {TOKEN}\r\n"), b"").unwrap();
    assert_eq!(local.read().unwrap().status, 200);
    world.stop();
}

#[test]
fn the_admin_api_listens_beyond_loopback_with_tls_only() {
    let folder = Folder::new();
    let clouds = clouds(|_| {});
    let path = configure(&folder, &clouds, LAW, "");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace("[admin]\nlisten = \"127.0.0.1:0\"", "[admin]\nlisten = \"0.0.0.0:0\"");
    let config = Config::read(&folder.write("firstright.toml", &text)).unwrap();
    let problem = serve::start(&config, read_law(&config.agreements).unwrap()).unwrap_err();
    assert!(problem.contains("without `tls`"), "{problem}");
}
