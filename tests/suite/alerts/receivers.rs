//! All faults of all receivers at once: each holds up its own channel until it ends.

use std::time::{Duration, Instant};

use hostile::canary::Canary;
use hostile::client::TEST_TIMEOUT;
use hostile::receiver::{
    AlertmanagerReceiver, Front, FrontFault, MailSecurity, MailServers, NtfyReceiver,
};
use hostile::upstream::Upstream;

use super::faulty_channel::{Channel, Fault};
use super::{FULL, LOW, alert_file, config, ntfy, saved_rows, wait_for_state, webhook};
use crate::harness::eventually;
use crate::server::Server;

/// Waits until a list is empty; fails with the list.
fn eventually_of(what: &str, mut left: impl FnMut() -> Vec<String>) {
    let begun = Instant::now();
    loop {
        let left = left();
        if left.is_empty() {
            return;
        }
        assert!(begun.elapsed() < TEST_TIMEOUT, "not {what}: {left:#?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn each_receiver_fault_holds_up_its_own_channel_until_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let servers = MailServers::start();
    let mail = |fault, security| Channel::mail(fault, security, &servers, folder.path());
    let mut channels: Vec<Channel<'_>> = Vec::new();
    for fault in Fault::OF_HTTP {
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
        mail(Fault::LosesResponse, MailSecurity::Plain),
        mail(Fault::LosesResponse, MailSecurity::StartTls),
        mail(Fault::Late, MailSecurity::Tls),
        mail(Fault::TooMany, MailSecurity::StartTls),
        mail(Fault::Unavailable, MailSecurity::StartTls),
        mail(Fault::WrongCertificate, MailSecurity::StartTls),
        mail(Fault::WrongCertificate, MailSecurity::Tls),
    ]);
    let upstream = Upstream::answering(FULL);
    let config = config(&upstream, channels.iter().map(|channel| channel.config.clone()));
    let server = Server::start(&config);
    wait_for_state(&server, "inactive");
    let timeout = Duration::from_secs(5);
    let canary = Canary::start(server.address, server.client.clone(), timeout);

    upstream.set(Some(LOW));
    let fired = wait_for_state(&server, "firing");
    let healthy = || channels.iter().filter(|channel| channel.fault == Fault::None);
    eventually_of("channels without a fault deliver", || {
        healthy().filter(|it| it.taken() != (1, 0)).map(Channel::seen).collect()
    });
    // Backoffs begin with 2.5 to 5 s. A wait of an hour is kept.
    eventually_of("channels with a fault try again", || {
        let has_tried = |channel: &&Channel<'_>| match channel.attempts() {
            None => true,
            Some(attempts) if channel.fault == Fault::None || channel.is_paused() => attempts == 1,
            Some(attempts) => attempts >= 2,
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
    // The wait that a server has asked for ends with other settings of its channel only.
    let renewed = channels.iter().map(|channel| {
        let mut config = channel.config.clone();
        if channel.fault == Fault::TooMany {
            config["timeout"] = "3s".into();
        }
        config
    });
    server.reload(&super::config(&upstream, renewed).set("site.title", "North"));
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
