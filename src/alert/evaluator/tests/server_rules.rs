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
