//! Ports of the new server that are in use: a second server on one machine needs others.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use super::answers::Answers;
use crate::config::Server;

/// Returns a remark for each address that another program listens on now.
pub(super) fn in_use(answers: &Answers) -> Vec<String> {
    let admin = answers.admin.clone().unwrap_or_else(|| Server::default().admin_listen);
    let public = answers.listen.iter().map(|address| (address, "--listen"));
    let all = public.chain([(&admin, "--admin-listen")]);
    let used = all
        .filter_map(|(listen, option)| Some((listen.tcp().filter(|it| is_in_use(*it))?, option)));
    used.map(|(address, option)| {
        format!(
            "{address} is in use now. Unless this server is to replace that program, choose another port \
             by {option}"
        )
    })
    .collect()
}

fn is_in_use(address: SocketAddr) -> bool {
    TcpListener::bind(address).is_err_and(|error| error.kind() == ErrorKind::AddrInUse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_in_use_while_a_program_listens_there() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert!(is_in_use(address));
        drop(listener);
        assert!(!is_in_use(address));
        // An address of another machine is for the start to report.
        assert!(!is_in_use("192.0.2.1:1".parse().unwrap()));
    }
}
