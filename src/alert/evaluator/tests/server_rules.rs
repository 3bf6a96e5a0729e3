//! The server's own rules.

use super::*;

fn waiting() -> Alert {
    let rule = AlertRule::Server(ServerCondition::NotificationsWaiting);
    Alert { name: "notifications_waiting".into(), rule, ..low(SourceSelection::All) }
}

#[test]
fn message_about_a_channel_goes_to_the_others() {
    let mut world = World::new(vec![waiting()]);
    let state = |is_met| ServerState {
        channels: vec!["phone".into()],
        detail: Some("3 messages wait for phone".into()),
        ..ServerState::met(is_met)
    };
    let now = world.now();
    world.evaluator.look_at_server(|_| state(true), now);
    world.evaluator.look_at_server(|_| ServerState::default(), now);
    world.evaluator.look_at_server(|_| state(false), now);
    world.save();
    let sent: Vec<_> =
        world.notices.iter().map(|notice| (&*notice.key.channel, notice.key.kind)).collect();
    assert_eq!(sent, [("mail", NoticeKind::Fired), ("mail", NoticeKind::Ended)]);
    let detail = world.incidents.values().next().unwrap().at_fire.detail.clone();
    assert_eq!(detail.as_deref(), Some("3 messages wait for phone"));
}

#[test]
fn message_that_no_channel_could_carry_is_sent_by_the_first_one_that_can() {
    let mut world = World::new(vec![waiting()]);
    let mut sent_while = |unable: &[&str], is_met| {
        let channels = unable.iter().map(|&name| name.into()).collect();
        let state = ServerState { channels, ..ServerState::met(is_met) };
        let now = world.now();
        world.evaluator.look_at_server(|_| state.clone(), now);
        world.save();
        let sent = std::mem::take(&mut world.notices);
        sent.iter().map(|n| (n.key.channel.to_string(), n.key.kind)).collect::<Vec<_>>()
    };
    let (phone, mail) = ("phone".to_owned(), "mail".to_owned());
    assert_eq!(sent_while(&["phone", "mail"], true), []);
    assert_eq!(sent_while(&["mail"], true), [(phone.clone(), NoticeKind::Fired)]);
    assert_eq!(sent_while(&["mail"], true), []);
    assert_eq!(sent_while(&[], true), [(mail.clone(), NoticeKind::Fired)]);
    let ended = [(phone, NoticeKind::Ended), (mail, NoticeKind::Ended)];
    assert_eq!(sent_while(&[], false), ended);
}

#[test]
fn state_whose_begin_lies_ahead_fires_on() {
    let mut world = World::new(vec![waiting()]);
    let state = ServerState { since: Some(t(0)), ..ServerState::met(true) };
    let now = world.now();
    world.evaluator.look_at_server(|_| state.clone(), now);
    world.set_clock(-180);
    let now = world.now();
    world.evaluator.look_at_server(|_| state.clone(), now);
    assert_eq!(world.shown(), [("server".to_owned(), "firing")]);
}
