use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;
use crate::config::{ChannelKind, Login, Secret};
use crate::notify::channel;
use crate::notify::fixture::{config, context, delivery, fired};

const SHORT: Duration = Duration::from_millis(300);
/// Bound that a slow machine does not reach.
const AMPLE: Duration = Duration::from_secs(20);

/// Action of the fake server at a command.
#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    /// Sends the reply to STARTTLS and one more with it.
    Injection,
    /// Sends nothing more from the greeting on.
    Hang,
    /// Sends a reply without end.
    Drip,
    /// Closes the connection in the middle of the mail.
    Drop,
    /// Refuses the login, and repeats it.
    Login,
    /// Does not take the first recipient.
    Recipient,
    /// Defers the second recipient.
    Deferral,
    /// Replies to the mail after a while.
    Late,
    /// Takes the mail, and closes the connection without a reply.
    LostReply,
}

/// A mail server for a connection with each of its faults.
struct Server {
    address: SocketAddr,
    certificate: CertificateDer<'static>,
    /// Lines that it has received.
    lines: Arc<Mutex<Vec<String>>>,
    thread: JoinHandle<()>,
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

impl Server {
    fn start(implicit: bool, offers: &'static str, fault: Fault) -> Server {
        Server::with_faults(implicit, offers, &[fault])
    }

    fn with_faults(implicit: bool, offers: &'static str, faults: &[Fault]) -> Server {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let tls = Arc::new(tls);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (received, faults) = (Arc::clone(&lines), faults.to_vec());
        let serve_one = move |socket: TcpStream, fault| {
            let encrypted = |socket: TcpStream| {
                let connection = ServerConnection::new(Arc::clone(&tls)).unwrap();
                StreamOwned::new(connection, socket)
            };
            if implicit {
                serve(&mut encrypted(socket), true, offers, fault, &received);
                return;
            }
            let mut plain = socket.try_clone().unwrap();
            if serve(&mut plain, true, offers, fault, &received) {
                let after = offers.replace("STARTTLS\n", "");
                let offers: &'static str = Box::leak(after.into_boxed_str());
                serve(&mut encrypted(socket), false, offers, fault, &received);
            }
        };
        let thread = thread::spawn(move || {
            faults.into_iter().for_each(|fault| serve_one(listener.accept().unwrap().0, fault));
        });
        Server { address, certificate, lines, thread }
    }

    fn config(&self, security: SmtpSecurity) -> config::Smtp {
        config::Smtp {
            host: "127.0.0.1".to_owned(),
            port: self.address.port(),
            security,
            login: Some(Login {
                username: "anna".to_owned(),
                password: Secret::new("s3cretpass".to_owned()),
            }),
            from: "tank@barn.test".to_owned(),
            to: vec!["a@x.test".to_owned(), "b@x.test".to_owned()],
        }
    }

    /// Sends a message to it. Returns what it received, a line each.
    fn deliver(
        self,
        security: SmtpSecurity,
        is_trusted: bool,
        timeout: Duration,
    ) -> (Vec<String>, Result<(), DeliveryError>) {
        let (lines, mut results) = self.deliver_often(1, security, is_trusted, timeout);
        (lines, results.remove(0))
    }

    /// Sends a message to it so many times.
    fn deliver_often(
        self,
        times: usize,
        security: SmtpSecurity,
        is_trusted: bool,
        timeout: Duration,
    ) -> (Vec<String>, Vec<Result<(), DeliveryError>>) {
        let mut config = config(ChannelKind::Smtp(self.config(security)));
        config.ca_certs = is_trusted.then(|| [self.certificate.clone()].into());
        let channel = channel(&config, &context());
        let deliver = |_| channel.deliver(&delivery([fired()]), Instant::now() + timeout);
        let results = (0..times).map(deliver).collect();
        drop(channel);
        self.thread.join().unwrap();
        let lines = self.lines.lock().unwrap().clone();
        (lines, results)
    }
}

/// Returns true if the connection is to be encrypted.
fn serve(
    stream: &mut dyn Stream,
    greets: bool,
    offers: &str,
    fault: Fault,
    received: &Mutex<Vec<String>>,
) -> bool {
    let mut stream = BufReader::with_capacity(1, stream);
    let say = |stream: &mut BufReader<&mut dyn Stream>, text: &str| {
        let _ = stream.get_mut().write_all(text.as_bytes()).and_then(|()| stream.get_mut().flush());
    };
    match fault {
        Fault::Hang => {
            let _ = stream.read(&mut [0]);
            return false;
        }
        Fault::Drip => {
            while stream.get_mut().write_all(b"220-x\r\n").is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
            return false;
        }
        _ => {}
    }
    if greets {
        say(&mut stream, "220 mail.test ESMTP\r\n");
    }
    let (mut in_mail, mut recipients) = (false, 0);
    loop {
        let mut line = String::new();
        if !stream.read_line(&mut line).is_ok_and(|length| length > 0) {
            return false;
        }
        let line = line.trim_end_matches("\r\n").to_owned();
        received.lock().unwrap().push(line.clone());
        let verb = line.split([' ', ':']).next().unwrap_or_default();
        match verb {
            _ if in_mail => {
                if matches!(fault, Fault::Drop) {
                    return false;
                }
                if line == "." {
                    in_mail = false;
                    match fault {
                        Fault::LostReply => return false,
                        Fault::Late => thread::sleep(SHORT),
                        _ => {}
                    }
                    say(&mut stream, "250 2.0.0 queued\r\n");
                }
            }
            "EHLO" => {
                let offers: String =
                    offers.lines().map(|offer| format!("250-{offer}\r\n")).collect();
                say(&mut stream, &format!("250-mail.test\r\n{offers}250 SIZE\r\n"));
            }
            "STARTTLS" => {
                let extra = match fault {
                    Fault::Injection => "250 injected\r\n",
                    _ => "",
                };
                say(&mut stream, &format!("220 go ahead\r\n{extra}"));
                return true;
            }
            "AUTH" if matches!(fault, Fault::Login) => {
                say(&mut stream, &format!("535 5.7.8 wrong: {line}, s3cretpass\r\n"));
            }
            "AUTH" => say(&mut stream, "235 welcome\r\n"),
            "RCPT" => {
                recipients += 1;
                match fault {
                    Fault::Recipient if recipients == 1 => {
                        say(&mut stream, "550 5.1.1 unknown\r\n")
                    }
                    Fault::Deferral if recipients == 2 => {
                        say(&mut stream, "451 4.7.1 greylisted\r\n")
                    }
                    _ => say(&mut stream, "250 ok\r\n"),
                }
            }
            "DATA" => {
                in_mail = true;
                say(&mut stream, "354 go ahead\r\n");
            }
            "QUIT" => return false,
            _ => say(&mut stream, "250 ok\r\n"),
        }
    }
}

const OFFERS: &str = "STARTTLS\nAUTH PLAIN LOGIN";

/// Returns the commands among the lines, without the mail.
fn commands(lines: &[String]) -> Vec<String> {
    let verbs = ["EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "QUIT", "."];
    let verb = |line: &str| line.split([' ', ':']).next().unwrap_or_default().to_owned();
    lines.iter().map(|line| verb(line)).filter(|verb| verbs.contains(&verb.as_str())).collect()
}

#[test]
fn mail_is_sent_over_starttls_and_over_tls_from_the_first_byte() {
    let begin = ["EHLO", "STARTTLS"];
    let rest = ["EHLO", "AUTH", "MAIL", "RCPT", "RCPT", "DATA", ".", "QUIT"];
    for (implicit, security, expected) in [
        (false, SmtpSecurity::StartTls, [&begin[..], &rest[..]].concat()),
        (true, SmtpSecurity::ImplicitTls, rest.to_vec()),
        (false, SmtpSecurity::Loopback, [&begin[..], &rest[..]].concat()),
    ] {
        let server = Server::start(implicit, OFFERS, Fault::None);
        let (lines, result) = server.deliver(security, true, AMPLE);
        assert_eq!(result, Ok(()));
        assert_eq!(commands(&lines), expected, "{security:?}");
        let has = |text: &str| lines.iter().any(|line| line == text);
        assert!(has("Subject: 280 gal, 3 min ago: Cistern volume below 300 gal"), "{lines:?}");
        assert!(has("MAIL FROM:<tank@barn.test>") && has("RCPT TO:<b@x.test>"), "{lines:?}");
    }
}

#[test]
fn server_on_this_machine_needs_no_tls() {
    let server = Server::start(false, OFFERS, Fault::None);
    let (lines, result) = server.deliver(SmtpSecurity::Loopback, false, AMPLE);
    assert_eq!(result, Ok(()));
    assert_eq!(commands(&lines)[..2], ["EHLO", "AUTH"]);
}

#[test]
fn login_is_not_sent_without_tls_or_after_a_wrong_certificate() {
    let server = Server::start(false, "AUTH PLAIN", Fault::None);
    let (lines, result) = server.deliver(SmtpSecurity::StartTls, true, AMPLE);
    let error = result.unwrap_err();
    assert_eq!(
        (error.fault, commands(&lines).join(" ").as_str()),
        (DeliveryFault::Refused, "EHLO QUIT")
    );
    assert!(error.message.contains("does not offer STARTTLS"), "{error}");

    let server = Server::start(false, OFFERS, Fault::None);
    let (lines, result) = server.deliver(SmtpSecurity::StartTls, false, AMPLE);
    let error = result.unwrap_err();
    assert_eq!(
        (error.fault, commands(&lines).join(" ").as_str()),
        (DeliveryFault::Transient, "EHLO STARTTLS")
    );
    assert!(error.message.starts_with("cannot send to the mail server: "), "{error}");
}

#[test]
fn replies_that_are_injected_before_tls_are_refused() {
    let server = Server::start(false, OFFERS, Fault::Injection);
    let (lines, result) = server.deliver(SmtpSecurity::StartTls, true, AMPLE);
    let error = result.unwrap_err();
    assert!(error.message.contains("more than its reply to STARTTLS"), "{error}");
    assert_eq!(commands(&lines), ["EHLO", "STARTTLS"]);
}

#[test]
fn server_that_hangs_drips_or_drops_is_a_transient_failure_within_the_deadline() {
    for fault in [Fault::Hang, Fault::Drip, Fault::Drop] {
        let server = Server::start(false, OFFERS, fault);
        let begun = Instant::now();
        let timeout = if matches!(fault, Fault::Drop) { AMPLE } else { SHORT };
        let (_, result) = server.deliver(SmtpSecurity::Loopback, false, timeout);
        assert_eq!(result.unwrap_err().fault, DeliveryFault::Transient, "{fault:?}");
        assert!(begun.elapsed() < AMPLE, "{fault:?}");
    }
}

#[test]
fn login_that_the_server_repeats_is_not_shown() {
    let server = Server::start(false, OFFERS, Fault::Login);
    let (_, result) = server.deliver(SmtpSecurity::StartTls, true, AMPLE);
    let error = result.unwrap_err();
    assert_eq!(error.fault, DeliveryFault::Refused);
    assert_eq!(
        &*error.message,
        "the mail server answered the name and password with 535 5.7.8 wrong: AUTH PLAIN [secret], [secret]"
    );
}

#[test]
fn mail_goes_to_the_other_recipients_and_the_failure_is_reported() {
    let server = Server::start(false, OFFERS, Fault::Recipient);
    let (lines, result) = server.deliver(SmtpSecurity::Loopback, false, AMPLE);
    let error = result.unwrap_err();
    assert_eq!((error.fault, error.progress), (DeliveryFault::Refused, Progress::Done));
    assert_eq!(
        &*error.message,
        "the mail server does not take the recipient a@x.test: 550 5.1.1 unknown; the others have the message"
    );
    assert!(lines.iter().any(|line| line == "."), "{lines:?}");
}

/// Returns the lines that begin with a text.
fn beginning<'a>(lines: &'a [String], begin: &str) -> Vec<&'a str> {
    lines.iter().map(String::as_str).filter(|line| line.starts_with(begin)).collect()
}

#[test]
fn recipient_that_is_deferred_gets_the_mail_by_the_next_attempt() {
    let server = Server::with_faults(false, OFFERS, &[Fault::Deferral, Fault::None]);
    let (lines, results) = server.deliver_often(2, SmtpSecurity::Loopback, false, AMPLE);
    let error = results[0].as_ref().unwrap_err();
    assert_eq!((error.fault, error.progress), (DeliveryFault::Transient, Progress::Part));
    assert_eq!(results[1], Ok(()));
    let expected = ["RCPT TO:<a@x.test>", "RCPT TO:<b@x.test>", "RCPT TO:<b@x.test>"];
    assert_eq!(beginning(&lines, "RCPT"), expected);
    assert_eq!(beginning(&lines, "To: "), ["To: a@x.test, b@x.test"; 2]);
}

#[test]
fn reply_to_the_mail_may_be_late() {
    let server = Server::start(false, OFFERS, Fault::Late);
    let (lines, result) = server.deliver(SmtpSecurity::Loopback, false, AMPLE);
    assert_eq!((result, beginning(&lines, "DATA").len()), (Ok(()), 1));
}

#[test]
fn mail_whose_reply_is_lost_is_sent_again_with_its_id() {
    let server = Server::with_faults(false, OFFERS, &[Fault::LostReply, Fault::None]);
    let (lines, results) = server.deliver_often(2, SmtpSecurity::Loopback, false, AMPLE);
    assert_eq!(results[0].as_ref().unwrap_err().fault, DeliveryFault::Transient);
    assert_eq!(results[1], Ok(()));
    let ids = beginning(&lines, "Message-ID: ");
    assert!(ids.len() == 2 && ids[0] == ids[1], "{ids:?}");
}

#[test]
fn name_for_ehlo_has_a_domain_or_is_an_address() {
    let address = |text: &str| Some(text.parse().unwrap());
    for (machine, address, expected) in [
        ("barn.example", None, "barn.example"),
        ("barn", address("192.0.2.7"), "[192.0.2.7]"),
        ("barn", address("2001:db8::7"), "[IPv6:2001:db8::7]"),
        ("a b.example", address("192.0.2.7"), "[192.0.2.7]"),
        ("x..example", None, "localhost"),
    ] {
        assert_eq!(hello_name(machine, address), expected);
    }
}
