//! All faults of all receivers at once: each holds up its own channel until it ends.

use std::path::Path;

use hostile::canary::Canary;
use hostile::receiver::{
    AlertmanagerReceiver, Front, FrontFault, HttpAnswer, HttpReceiver, Identity, MailAnswer,
    MailSecurity, MailServer, MailServers, NtfyReceiver,
};
use hostile::upstream::Upstream;
use serde_json::{Value, json};

use super::{FULL, LOW, alert_file, config, ntfy, of_rule, saved_rows, wait_for_state, webhook};
use crate::harness::eventually;
use crate::server::Server;

/// Bytes after which a connection is dropped: amid the message, in each of the protocols.
const MID_MESSAGE: usize = 200;

/// Fault of a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    Refuses,
    Hangs,
    Drips,
    DropsMidMessage,
    LosesResponse,
    /// 429 with a `Retry-After` of an hour.
    TooMany,
    /// 503, or 451 of a mail server.
    Unavailable,
    WrongCertificate,
}

impl Fault {
    const ALL: [Fault; 9] = [
        Fault::None,
        Fault::Refuses,
        Fault::Hangs,
        Fault::Drips,
        Fault::DropsMidMessage,
        Fault::LosesResponse,
        Fault::TooMany,
        Fault::Unavailable,
        Fault::WrongCertificate,
    ];

    fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// Returns true if the receiver has the message although the channel does not know it.
    fn takes_unnoticed(self) -> bool {
        matches!(self, Fault::Drips | Fault::LosesResponse)
    }

    fn in_front(self) -> Option<FrontFault> {
        match self {
            Fault::Refuses => Some(FrontFault::Refuses),
            Fault::Hangs => Some(FrontFault::Hangs),
            Fault::Drips => Some(FrontFault::Drips),
            Fault::DropsMidMessage => Some(FrontFault::DropsAfter(MID_MESSAGE)),
            Fault::LosesResponse => Some(FrontFault::LosesResponse),
            Fault::None | Fault::TooMany | Fault::Unavailable | Fault::WrongCertificate => None,
        }
    }

    fn http_answer(self) -> HttpAnswer {
        match self {
            Fault::TooMany => {
                HttpAnswer::Fails { status: "429 Too Many Requests", retry_after: Some(3600) }
            }
            Fault::Unavailable => {
                HttpAnswer::Fails { status: "503 Service Unavailable", retry_after: None }
            }
            _ => HttpAnswer::Takes,
        }
    }
}

/// Server behind a channel.
enum Receiver<'a> {
    Ntfy(NtfyReceiver),
    Alertmanager(AlertmanagerReceiver),
    Mail(MailServer<'a>),
}

/// A channel with its receiver.
struct Channel<'a> {
    name: String,
    fault: Fault,
    front: Front,
    receiver: Receiver<'a>,
    /// Certificate that the channel trusts.
    trusted: Identity,
    config: Value,
}

impl<'a> Channel<'a> {
    fn ntfy(fault: Fault, folder: &Path) -> Channel<'a> {
        let [trusted, presented] = identities(fault);
        let receiver = NtfyReceiver::start(presented.as_ref());
        let scheme = receiver.scheme();
        let (server, config) = (receiver.address(), json!({ "kind": "ntfy", "topic": "tanks" }));
        receiver.answer(fault.http_answer());
        Channel::new(
            "ntfy",
            fault,
            Receiver::Ntfy(receiver),
            server,
            scheme,
            config,
            trusted,
            folder,
        )
    }

    fn alertmanager(fault: Fault, folder: &Path) -> Channel<'a> {
        let [trusted, presented] = identities(fault);
        let receiver = AlertmanagerReceiver::start(presented.as_ref());
        let scheme = receiver.scheme();
        let (server, config) = (receiver.address(), json!({ "kind": "webhook" }));
        receiver.answer(fault.http_answer());
        let receiver = Receiver::Alertmanager(receiver);
        Channel::new("webhook", fault, receiver, server, scheme, config, trusted, folder)
    }

    fn mail(
        fault: Fault,
        security: MailSecurity,
        servers: &'a MailServers,
        folder: &Path,
    ) -> Channel<'a> {
        let trusted = Identity::new();
        let presented = match fault {
            Fault::WrongCertificate => Identity::new(),
            _ => trusted.clone(),
        };
        let answer = match fault {
            Fault::Unavailable => MailAnswer::FailsForNow,
            _ => MailAnswer::Takes,
        };
        let has_login = security != MailSecurity::Plain;
        let name = format!("{}_{security:?}", fault.name()).to_lowercase();
        let server = servers.serve(&name, security, &presented, answer, has_login);
        let mut config = json!({
            "kind": "smtp", "from": "Pumphouse <pumphouse@tank.test>",
            "to": ["ann@home.test", "Bob <bob@home.test>"],
        });
        if has_login {
            config["username"] = "me".into();
            config["password"] = "s3cretMail".into();
        }
        let scheme = if security == MailSecurity::Tls { "smtps" } else { "smtp" };
        let trusted = (security != MailSecurity::Plain).then_some(trusted);
        let kind = format!("mail_{security:?}").to_lowercase();
        let (address, receiver) = (server.address(), Receiver::Mail(server));
        Channel::new(&kind, fault, receiver, address, scheme, config, trusted, folder)
    }

    #[expect(clippy::too_many_arguments, reason = "each is a part of the channel")]
    fn new(
        kind: &str,
        fault: Fault,
        receiver: Receiver<'a>,
        server: std::net::SocketAddr,
        scheme: &str,
        mut config: Value,
        trusted: Option<Identity>,
        folder: &Path,
    ) -> Channel<'a> {
        let name = format!("{kind}_{}", fault.name());
        let front = Front::start(server, fault.in_front());
        config["name"] = name.as_str().into();
        config["url"] = format!("{scheme}://{}", front.address()).into();
        for (key, value) in [("group_wait", "0s"), ("timeout", "2s")] {
            config[key] = value.into();
        }
        if let Some(trusted) = &trusted {
            let path = folder.join(format!("{name}.pem"));
            std::fs::write(&path, &trusted.certificate).unwrap();
            config["ca_file"] = path.to_str().into();
        }
        let trusted = trusted.unwrap_or_default();
        Channel { name, fault, front, receiver, trusted, config }
    }

    fn recover(&self) {
        match &self.receiver {
            Receiver::Ntfy(server) => recover(server, self),
            Receiver::Alertmanager(server) => recover(server, self),
            Receiver::Mail(server) => {
                server.answer(MailAnswer::Takes);
                if self.fault == Fault::WrongCertificate {
                    server.present(&self.trusted);
                }
            }
        }
        self.front.recover();
    }

    /// Returns the numbers of messages that say that the alert fires, and that it is over.
    fn taken(&self) -> (usize, usize) {
        let over: Vec<bool> = match &self.receiver {
            Receiver::Ntfy(server) => server.messages().iter().map(|it| it.is_over).collect(),
            Receiver::Alertmanager(server) => {
                of_rule(server.posted(), "tank_low").iter().map(|it| it.is_resolved).collect()
            }
            Receiver::Mail(server) => {
                let mails = server.mails();
                // A reply to the first one, by which mail programs thread them.
                mails.iter().map(|mail| mail.header("In-Reply-To").is_some()).collect()
            }
        };
        let ends = over.iter().filter(|is_over| **is_over).count();
        (over.len() - ends, ends)
    }

    /// Returns the number of attempts that its receiver or its front has seen; `None`: they cannot be seen.
    fn attempts(&self) -> Option<usize> {
        (self.fault != Fault::Refuses).then(|| self.front.connections())
    }

    /// Returns what can be seen of it, for the report of a failure.
    fn seen(&self) -> String {
        let rejected = match &self.receiver {
            Receiver::Ntfy(server) => server.rejected(),
            Receiver::Alertmanager(server) => server.rejected(),
            Receiver::Mail(server) => vec![format!("{} mails", server.refused())],
        };
        let (name, taken, attempts) = (&self.name, self.taken(), self.attempts());
        format!("{name}: {taken:?} taken, {attempts:?} attempts, rejected: {rejected:?}")
    }

    /// Requires that what came has the form of its protocol.
    fn check_form(&self) {
        let name = &self.name;
        match &self.receiver {
            Receiver::Ntfy(server) => {
                assert_eq!(server.rejected(), [""; 0], "{name}");
                let first = &server.messages()[0];
                assert!(first.title.starts_with("10%: Cistern"), "{name}: {first:?}");
            }
            Receiver::Alertmanager(server) => {
                assert_eq!(server.rejected(), [""; 0], "{name}");
                let posted = of_rule(server.posted(), "tank_low");
                let incidents: Vec<&String> = posted.iter().map(|it| &it.incident).collect();
                assert!(incidents.iter().all(|it| **it == *incidents[0]), "{name}: {posted:?}");
                // An attempt that repeats a message has its key.
                let mut keys: Vec<&String> = posted.iter().map(|it| &it.key).collect();
                keys.dedup();
                assert_eq!(keys.len(), 2, "{name}: {posted:?}");
            }
            Receiver::Mail(server) => {
                for mail in server.mails() {
                    check_mail(name, &mail);
                }
            }
        }
    }
}

fn identities(fault: Fault) -> [Option<Identity>; 2] {
    let trusted = Identity::new();
    match fault {
        Fault::None => [Some(trusted.clone()), Some(trusted)],
        Fault::WrongCertificate => [Some(trusted), Some(Identity::new())],
        _ => [None, None],
    }
}

fn recover(server: &HttpReceiver, channel: &Channel<'_>) {
    server.answer(HttpAnswer::Takes);
    if channel.fault == Fault::WrongCertificate {
        server.present(&channel.trusted);
    }
}

/// Waits until a list is empty; fails with the list.
fn eventually_of(what: &str, mut left: impl FnMut() -> Vec<String>) {
    let begun = std::time::Instant::now();
    loop {
        let left = left();
        if left.is_empty() {
            return;
        }
        assert!(begun.elapsed() < hostile::client::TEST_TIMEOUT, "not {what}: {left:#?}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// Requires the header fields and parts of a mail about an alert.
fn check_mail(name: &str, mail: &hostile::receiver::Mail) {
    assert_eq!(mail.sender, "pumphouse@tank.test", "{name}");
    assert_eq!(mail.recipients, ["ann@home.test", "bob@home.test"], "{name}");
    assert_eq!(mail.is_encrypted, name.contains("starttls"), "{name}");
    assert_eq!(mail.has_login, !name.contains("plain"), "{name}");
    for (field, part) in [
        ("Subject", "%"),
        ("Date", " 20"),
        ("Message-ID", "@"),
        ("Auto-Submitted", "auto-generated"),
        ("Content-Type", "multipart/alternative"),
    ] {
        let value = mail.header(field).unwrap_or_default();
        assert!(value.contains(part), "{name}: {field}: {value:?} in {}", mail.content);
    }
    for part in ["text/plain", "text/html"] {
        assert!(mail.content.contains(part), "{name}: no {part} in {}", mail.content);
    }
}

#[test]
fn each_receiver_fault_holds_up_its_own_channel_until_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let servers = MailServers::start();
    let mail = |fault, security| Channel::mail(fault, security, &servers, folder.path());
    let mut channels: Vec<Channel<'_>> = Vec::new();
    for fault in Fault::ALL {
        channels.push(Channel::ntfy(fault, folder.path()));
        channels.push(Channel::alertmanager(fault, folder.path()));
    }
    channels.extend([
        mail(Fault::None, MailSecurity::Plain),
        mail(Fault::None, MailSecurity::StartTls),
        mail(Fault::None, MailSecurity::Tls),
        mail(Fault::Refuses, MailSecurity::Plain),
        mail(Fault::Hangs, MailSecurity::StartTls),
        mail(Fault::Drips, MailSecurity::Tls),
        mail(Fault::DropsMidMessage, MailSecurity::Plain),
        mail(Fault::Unavailable, MailSecurity::StartTls),
        mail(Fault::WrongCertificate, MailSecurity::StartTls),
        mail(Fault::WrongCertificate, MailSecurity::Tls),
    ]);
    let upstream = Upstream::answering(FULL);
    let config = config(&upstream, channels.iter().map(|channel| channel.config.clone()));
    let server = Server::start(&config);
    wait_for_state(&server, "inactive");
    let timeout = std::time::Duration::from_secs(5);
    let canary = Canary::start(server.address, server.client.clone(), timeout);

    upstream.set(Some(LOW));
    let fired = wait_for_state(&server, "firing");
    let healthy = || channels.iter().filter(|channel| channel.fault == Fault::None);
    eventually_of("channels without a fault deliver", || {
        healthy().filter(|it| it.taken() != (1, 0)).map(Channel::seen).collect()
    });
    // Backoffs begin with 2.5 to 5 s. A wait of an hour is kept.
    eventually_of("channels with a fault try again", || {
        let has_tried = |channel: &&Channel<'_>| match (channel.fault, channel.attempts()) {
            (_, None) => true,
            (Fault::None | Fault::TooMany, Some(attempts)) => attempts == 1,
            (_, Some(attempts)) => attempts >= 2,
        };
        channels.iter().filter(|it| !has_tried(it)).map(Channel::seen).collect()
    });
    let (page, metrics) = (server.get("/alerts"), server.admin_get("/metrics"));
    for channel in &channels {
        let waiting = usize::from(channel.fault != Fault::None);
        let sample =
            format!("pumphouse_notifications_waiting{{channel=\"{}\"}} {waiting}\n", channel.name);
        assert!(metrics.contains(&sample), "no {sample} in {metrics}");
        let line = format!("channel {}: cannot send: ", channel.name);
        let failed = server.log().iter().any(|it| it.contains(&line));
        assert_eq!(failed, channel.fault != Fault::None, "{}", channel.name);
        if channel.fault != Fault::None {
            let row = page.split(&format!(">{}<", channel.name)).nth(1).unwrap_or(&page);
            let row = &row[..row.len().min(400)];
            assert!(row.contains("1 waiting"), "{}: {row}", channel.name);
        }
        let (fires, ends) = channel.taken();
        let expected = channel.fault == Fault::None || channel.fault.takes_unnoticed();
        assert_eq!((fires > 0, ends), (expected && fires > 0, 0), "{}", channel.name);
    }
    assert!(server.get("/").contains("1 message waiting since "), "the page does not say it");

    channels.iter().for_each(Channel::recover);
    server.reload(&config.clone().set("site.title", "North"));
    eventually_of("every channel has its message", || {
        channels.iter().filter(|it| it.taken().0 == 0).map(Channel::seen).collect()
    });
    eventually("nothing waits", || !server.get("/alerts").contains("1 waiting"));
    assert_eq!(super::shown(&server)["incident"], fired["incident"], "another incident");

    upstream.set(Some(FULL));
    wait_for_state(&server, "inactive");
    eventually_of("every channel has the end", || {
        channels.iter().filter(|it| it.taken().1 == 0).map(Channel::seen).collect()
    });
    for channel in &channels {
        let (fires, ends) = channel.taken();
        assert_eq!(ends, 1, "{}", channel.name);
        assert!(fires == 1 || channel.fault.takes_unnoticed(), "{}: {fires}", channel.name);
        channel.check_form();
    }
    let canary = canary.stop();
    assert!(canary.missed.is_empty(), "{:?}", canary.missed);
    server.assert_polls_took_at_most("tank", 1);
}

#[test]
fn incident_that_begins_and_ends_while_its_receiver_refuses_is_one_message() {
    let (hook, phone) = (AlertmanagerReceiver::start(None), NtfyReceiver::start(None));
    let fronts =
        [hook.address(), phone.address()].map(|to| Front::start(to, Some(FrontFault::Refuses)));
    let upstream = Upstream::answering(LOW);
    let server = Server::start(&config(
        &upstream,
        [webhook("hook", fronts[0].address()), ntfy("phone", fronts[1].address())],
    ));
    let fired = wait_for_state(&server, "firing");
    server.wait_for_log("channel hook: cannot send: ");
    server.wait_for_log("channel phone: cannot send: ");
    upstream.set(Some(FULL));
    wait_for_state(&server, "inactive");
    // A notice is sent once it is on the disk.
    eventually("fire and end are saved", || saved_rows(&alert_file(&server), "notice") == 4);
    fronts.iter().for_each(Front::recover);
    server.signal_and_wait("HUP", &["reloaded", "nothing"]);
    eventually("both have it", || !hook.posted().is_empty() && !phone.messages().is_empty());
    let posted = hook.posted();
    assert_eq!(posted.len(), 1, "{posted:?}");
    assert!(posted[0].is_resolved && fired["incident"] == *posted[0].incident, "{posted:?}");
    let messages = phone.messages();
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(messages[0].is_over, "{messages:?}");
    let text = format!("{}\n{}", messages[0].title, messages[0].message);
    assert!(text.matches(':').count() >= 2, "both times: {text}");
}
