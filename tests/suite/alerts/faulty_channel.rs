//! Channels whose receivers have a fault, of each kind that tests have a receiver for.

use std::path::Path;

use hostile::receiver::{
    AlertmanagerReceiver, Front, FrontFault, HttpAnswer, HttpReceiver, Identity, Mail, MailAnswer,
    MailSecurity, MailServer, MailServers, NtfyReceiver,
};
use serde_json::{Value, json};

use super::of_rule;

/// Bytes after which a connection is dropped: amid the message, in each of the protocols.
const MID_MESSAGE: usize = 200;

/// Fault of a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    Refuses,
    Hangs,
    Drips,
    DropsMidMessage,
    /// The receiver takes the message, and its response is lost: of a mail server, that to the mail.
    LosesResponse,
    /// The receiver takes the message, and responds after the deadline: a mail server that scans.
    Late,
    /// 429 with a `Retry-After` of an hour, or 450 of a mail server.
    TooMany,
    /// 503, or 451 of a mail server.
    Unavailable,
    WrongCertificate,
}

impl Fault {
    pub const OF_HTTP: [Fault; 9] = [
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
    pub fn takes_unnoticed(self) -> bool {
        matches!(self, Fault::Drips | Fault::LosesResponse | Fault::Late)
    }

    fn in_front(self) -> Option<FrontFault> {
        match self {
            Fault::Refuses => Some(FrontFault::Refuses),
            Fault::Hangs => Some(FrontFault::Hangs),
            Fault::Drips => Some(FrontFault::Drips),
            Fault::DropsMidMessage => Some(FrontFault::DropsAfter(MID_MESSAGE)),
            Fault::LosesResponse => Some(FrontFault::LosesResponse),
            Fault::None
            | Fault::Late
            | Fault::TooMany
            | Fault::Unavailable
            | Fault::WrongCertificate => None,
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
pub struct Channel<'a> {
    pub name: String,
    pub fault: Fault,
    front: Front,
    receiver: Receiver<'a>,
    /// Certificate that the channel trusts.
    trusted: Identity,
    pub config: Value,
}

impl<'a> Channel<'a> {
    pub fn ntfy(fault: Fault, folder: &Path) -> Channel<'a> {
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

    pub fn alertmanager(fault: Fault, folder: &Path) -> Channel<'a> {
        let [trusted, presented] = identities(fault);
        let receiver = AlertmanagerReceiver::start(presented.as_ref());
        let scheme = receiver.scheme();
        let (server, config) = (receiver.address(), json!({ "kind": "webhook" }));
        receiver.answer(fault.http_answer());
        let receiver = Receiver::Alertmanager(receiver);
        Channel::new("webhook", fault, receiver, server, scheme, config, trusted, folder)
    }

    pub fn mail(
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
            Fault::TooMany => MailAnswer::TooMany,
            Fault::LosesResponse => MailAnswer::LosesReply,
            Fault::Late => MailAnswer::Late(30),
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
        let is_mail = matches!(receiver, Receiver::Mail(_));
        let of_front = fault.in_front().filter(|_| !(is_mail && fault == Fault::LosesResponse));
        let front = Front::start(server, of_front);
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

    pub fn recover(&self) {
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
    pub fn taken(&self) -> (usize, usize) {
        let over: Vec<bool> = match &self.receiver {
            Receiver::Ntfy(server) => server.messages().iter().map(|it| it.is_over).collect(),
            Receiver::Alertmanager(server) => {
                of_rule(server.posted(), "tank_low").iter().map(|it| it.is_resolved).collect()
            }
            Receiver::Mail(server) => {
                let subject = |mail: &Mail| mail.header("Subject").unwrap_or_default();
                server.mails().iter().map(|mail| subject(mail).contains("no longer")).collect()
            }
        };
        let ends = over.iter().filter(|is_over| **is_over).count();
        (over.len() - ends, ends)
    }

    /// Returns true if the receiver has asked for a pause of an hour.
    pub fn is_paused(&self) -> bool {
        self.fault == Fault::TooMany && !matches!(self.receiver, Receiver::Mail(_))
    }

    /// Returns the number of attempts that its receiver or its front has seen; `None`: they cannot be seen.
    pub fn attempts(&self) -> Option<usize> {
        (self.fault != Fault::Refuses).then(|| self.front.connections())
    }

    /// Returns what can be seen of it, for the report of a failure.
    pub fn seen(&self) -> String {
        let rejected = match &self.receiver {
            Receiver::Ntfy(server) => server.rejected(),
            Receiver::Alertmanager(server) => server.rejected(),
            Receiver::Mail(server) => vec![format!("{} mails", server.refused())],
        };
        let (name, taken, attempts) = (&self.name, self.taken(), self.attempts());
        format!("{name}: {taken:?} taken, {attempts:?} attempts, rejected: {rejected:?}")
    }

    /// Requires that what came has the form of its protocol.
    pub fn check_form(&self) {
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
                let mails = server.mails();
                mails.iter().for_each(|mail| check_mail(name, mail));
                let fields = |field: &str| -> Vec<String> {
                    let mut all: Vec<String> =
                        mails.iter().map(|mail| mail.header(field).unwrap_or_default()).collect();
                    all.dedup();
                    all
                };
                assert_eq!(fields("In-Reply-To").len(), 1, "{name}: the thread");
                // A fire that is repeated has its id, by which a receiver recognises it.
                assert_eq!(fields("Message-ID").len(), 2, "{name}: {:?}", fields("Message-ID"));
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
