//! Addresses of members as people type them: `localhost:2379,localhost:2380`, with or without `http://`.

use std::net::{SocketAddr, ToSocketAddrs};

use crate::cluster::etcd::CLIENT_PORT;
use crate::error::{Error, Result};

/// Where a member serves clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Host and port, as typed but for the scheme.
    pub name: String,
    /// Where that leads.
    pub address: SocketAddr,
}

/// Parses what was typed for `--endpoints`: a list with commas, each with or without `http://`; the port is 2379 where none is
/// given. Names are looked up, IPv4 first.
///
/// # Errors
/// [`Error::Usage`] for an endpoint that is no address, cannot be found, or is there twice.
pub fn parse(text: &str) -> Result<Vec<Endpoint>> {
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for part in text.split(',') {
        let endpoint = endpoint(part.trim())?;
        if let Some(known) = endpoints.iter().find(|known| known.address == endpoint.address) {
            return Err(Error::usage(match known.name == endpoint.name {
                true => format!("--endpoints: {} stands there twice", known.name),
                false => format!("--endpoints: {} and {} are the same address", known.name, endpoint.name),
            }));
        }
        endpoints.push(endpoint);
    }
    Ok(endpoints)
}

fn endpoint(typed: &str) -> Result<Endpoint> {
    let refused = |problem: &str| {
        Error::usage(format!(
            "--endpoints: {typed:?} {problem}; give hosts and ports as in localhost:2379,localhost:2380"
        ))
    };
    let rest = match typed.split_once("://") {
        Some(("http", rest)) => rest,
        Some(("https", _)) => return Err(refused("asks for TLS, which the recorder does not speak")),
        Some(_) => return Err(refused("has a scheme that is not http")),
        None => typed,
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.is_empty() || rest.contains(['/', '@', '?', '#']) || rest.contains(char::is_whitespace) {
        return Err(refused("is not an address"));
    }
    // In an IPv6 address only what follows the bracket is a port.
    let has_port = rest.rsplit_once(':').is_some_and(|(host, _)| !host.contains(':') || host.ends_with(']'));
    let name = if has_port { rest.to_owned() } else { format!("{rest}:{CLIENT_PORT}") };
    let mut addresses: Vec<_> =
        name.to_socket_addrs().map_err(|error| refused(&format!("cannot be found ({error})")))?.collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    let address = addresses.into_iter().next().ok_or_else(|| refused("has no address"))?;
    if address.port() == 0 {
        return Err(refused("has no port"));
    }
    Ok(Endpoint { name, address })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_need_no_scheme_and_no_port() {
        let cases = [
            ("127.0.0.1:2380", "127.0.0.1:2380"),
            ("http://127.0.0.1:2380/", "127.0.0.1:2380"),
            ("127.0.0.1", "127.0.0.1:2379"),
            ("[::1]:2381", "[::1]:2381"),
            ("[::1]", "[::1]:2379"),
        ];
        for (typed, address) in cases {
            let parsed = parse(typed).expect(typed);
            assert_eq!(parsed, [Endpoint { name: address.into(), address: address.parse().unwrap() }], "{typed}");
        }
        let names: Vec<_> =
            parse(" localhost:2379, localhost:2380 ").unwrap().into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["localhost:2379", "localhost:2380"]);
    }

    #[test]
    fn what_is_no_endpoint_is_refused_with_its_text() {
        let cases = [
            ("", "not an address"),
            ("127.0.0.1:2379,,", "not an address"),
            ("https://127.0.0.1:2379", "TLS"),
            ("unix://etcd.sock", "scheme"),
            ("127.0.0.1:0", "no port"),
            ("127.0.0.1:70000", "cannot be found"),
            ("127.0.0.1:2379/v3", "not an address"),
            ("127.0.0.1:2379,http://127.0.0.1", "twice"),
            ("127.0.0.1:2379,localhost:2379", "the same address"),
        ];
        for (typed, problem) in cases {
            let message = parse(typed).expect_err(typed).to_string();
            assert!(message.contains("--endpoints") && message.contains(problem), "{message}");
        }
    }
}
