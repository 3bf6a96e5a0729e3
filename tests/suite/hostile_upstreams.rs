//! Upstreams that hurt in every way at once: each costs its own source an error, and no more.

use jiff::Timestamp;
use serde_json::Value;

use crate::harness::eventually;
use crate::hostile::hurt::{Hurt, HurtfulUpstream, Outcome};
use crate::server::{Server, Setup};

fn name(hurt: Hurt) -> String {
    format!("{hurt:?}").to_lowercase()
}

fn source(upstream: &HurtfulUpstream, folder: &std::path::Path) -> String {
    let name = name(upstream.hurt());
    let authorities = folder.join(format!("{name}.pem"));
    std::fs::write(&authorities, upstream.authorities()).unwrap();
    format!(
        "[[source]]\nname = \"{name}\"\nkind = \"json\"\nurl = \"{}\"\ninterval = \"1s\"\n\
         timeout = \"1s\"\nstale_after = \"1h\"\nca_file = \"{}\"\n\
         observed_at = {{ pointer = \"/at\", format = \"unix\" }}\n\
         [source.values.level]\npointer = \"/level\"\nunit = \"%\"\n",
        upstream.url(),
        authorities.display()
    )
}

fn is_well(status: &Value, hurt: Hurt, level: usize) -> bool {
    let source = &status["sources"][name(hurt)];
    source["error"].is_null()
        && source["values"]["level"]["value"].as_f64() == Some(level as f64)
        && source["values"]["level"]["note"].is_null()
}

fn hurts_as_it_should(status: &Value, hurt: Hurt) -> bool {
    let source = &status["sources"][name(hurt)];
    let level = &source["values"]["level"];
    match hurt.outcome() {
        Outcome::Error(kind) => {
            source["error"]["kind"] == kind
                // Again and again: each poll comes to its end.
                && source["error"]["failures"].as_u64() >= Some(2)
                && level["value"] == 50.0
        }
        Outcome::NoValue => level["value"].is_null() && level["note"].is_string(),
        Outcome::Noted => {
            level["value"] == 50.0
                && level["note"].as_str().is_some_and(|note| note.contains("in the future"))
                && source["observed_at_inferred"] == true
        }
    }
}

/// It is polled again within the interval of a second, so that it is seen when it heals; the
/// patience that some ask for is no longer than that. Times are told in whole seconds.
fn is_polled_soon(status: &Value, hurt: Hurt, now: Timestamp) -> bool {
    let next = status["sources"][name(hurt)]["next_poll_at"].as_str();
    let next = next.map(|at| at.parse::<Timestamp>().unwrap());
    next.is_none_or(|next| next.as_second() <= now.as_second() + 1)
}

#[test]
fn each_hurt_costs_its_own_source_an_error_and_heals() {
    let folder = tempfile::tempdir().unwrap();
    let upstreams: Vec<HurtfulUpstream> = Hurt::ALL.map(HurtfulUpstream::new).into();
    let sources: String = upstreams.iter().map(|it| source(it, folder.path())).collect();
    let server = Server::start(&Setup { sources: &sources, ..Setup::default() });
    let is_so_for_all = |what: &str, is_so: &dyn Fn(&Value, Hurt) -> bool| -> Value {
        let mut missing = Vec::new();
        let mut last = Value::Null;
        eventually(what, || {
            last = server.status();
            let now = Timestamp::now();
            for hurt in Hurt::ALL {
                let told = &last["sources"][name(hurt)];
                assert!(is_polled_soon(&last, hurt, now), "{hurt:?} at {now}: {told}");
            }
            missing = Hurt::ALL.into_iter().filter(|hurt| !is_so(&last, *hurt)).collect();
            missing.is_empty()
        });
        last
    };

    is_so_for_all("all are well", &|status, hurt| is_well(status, hurt, 50));
    let threads = server.status_line("Threads");
    upstreams.iter().for_each(HurtfulUpstream::hurt_now);
    let status = is_so_for_all("all hurt in their way", &hurts_as_it_should);
    assert_eq!(server.status_line("Threads"), threads, "no hurt makes a thread");

    // The kept value tells its true age: of before the hurt, and it stays so.
    let observed = |status: &Value, hurt| status["sources"][name(hurt)]["observed_at"].clone();
    let later = server.status();
    for hurt in Hurt::ALL.into_iter().filter(|it| matches!(it.outcome(), Outcome::Error(_))) {
        assert!(observed(&status, hurt).is_string());
        assert_eq!(observed(&status, hurt), observed(&later, hurt), "{hurt:?}");
    }

    for upstream in &upstreams {
        upstream.heal(60);
    }
    is_so_for_all("all have healed", &|status, hurt| is_well(status, hurt, 60));
    assert_eq!(server.status_line("Threads"), threads);
    for hurt in Hurt::ALL {
        // Far more than the timeout of a second, and far less than for ever.
        server.assert_polls_took_at_most(&name(hurt), 5);
    }
}
