//! Tests of refused requests: by `Host` on loopback addresses, by `Origin` and `Sec-Fetch-Site` on posts.

use axum::http::Method;

use super::*;

fn hosts(address: &str) -> Hosts {
    Hosts::new(address.parse().unwrap(), ["metrics.example".to_owned()].into())
}

fn request(method: Method, target: &str, headers: &[(HeaderName, &str)]) -> Request<()> {
    let builder = Request::builder().method(method).uri(target);
    let with = |builder: axum::http::request::Builder, (name, value): &(HeaderName, &str)| {
        builder.header(name, HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    headers.iter().fold(builder, with).body(()).unwrap()
}

fn get(address: &str, host: &str) -> Result<(), Foreign> {
    hosts(address).check(&request(Method::GET, "/metrics", &[(HOST, host)]))
}

#[test]
fn a_loopback_listener_answers_for_this_host_only() {
    for host in [
        "localhost",
        "localhost:9510",
        "LocalHost.:1",
        "agent.localhost:9510",
        "127.0.0.1",
        "127.0.0.1:9510",
        "127.1.2.3:9510",
        "[::1]",
        "[::1]:9510",
        "[::ffff:127.0.0.1]:9510",
        "metrics.example",
        "METRICS.example.:443",
    ] {
        for address in ["127.0.0.1", "127.0.0.5", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(get(address, host), Ok(()), "{host} on {address}");
        }
    }
    for host in [
        "evil.example",
        "evil.example:9510",
        "x",
        "",
        "localhost.evil.example",
        "notlocalhost",
        "127.0.0.1.evil.example",
        "127.0.0.1@evil.example",
        "evil@localhost",
        "192.0.2.1:9510",
        "0.0.0.0:9510",
        "[2001:db8::1]:9510",
        "::1",
        "sub.metrics.example",
        "local host",
        "l\u{f6}calhost",
    ] {
        assert_eq!(get("127.0.0.1", host), Err(Foreign::Host), "{host:?}");
    }
}

#[test]
fn every_method_is_looked_at_and_no_host_is_no_browser() {
    let hosts = hosts("127.0.0.1");
    for method in [Method::GET, Method::HEAD, Method::POST, Method::OPTIONS, Method::DELETE] {
        let foreign = request(method.clone(), "/", &[(HOST, "evil.example")]);
        assert_eq!(hosts.check(&foreign), Err(Foreign::Host), "{method}");
        assert_eq!(hosts.check(&request(method, "/", &[])), Ok(()));
    }
    let two = request(Method::GET, "/", &[(HOST, "localhost"), (HOST, "evil.example")]);
    assert_eq!(hosts.check(&two), Err(Foreign::Host));
    let whole = request(Method::GET, "http://evil.example/", &[(HOST, "localhost")]);
    assert_eq!(hosts.check(&whole), Err(Foreign::Host));
}

#[test]
fn a_listener_for_others_answers_by_any_name() {
    for address in ["0.0.0.0", "::", "192.0.2.7"] {
        for host in ["ffwatt:9510", "node-7.example", "192.0.2.7:9510", "10.0.0.1"] {
            assert_eq!(get(address, host), Ok(()), "{host} on {address}");
        }
    }
}

#[test]
fn pages_of_other_origins_may_not_post_anywhere() {
    let post = |address: &str, host: &str, headers: &[(HeaderName, &str)]| {
        let headers = [&[(HOST, host)], headers].concat();
        hosts(address).check(&request(Method::POST, "/progress/a", &headers))
    };
    for address in ["127.0.0.1", "0.0.0.0"] {
        let post = |headers: &[(HeaderName, &str)]| post(address, "localhost:9510", headers);
        assert_eq!(post(&[]), Ok(()), "ffmpeg sends neither");
        assert_eq!(post(&[(ORIGIN, "http://localhost:9510")]), Ok(()));
        assert_eq!(post(&[(ORIGIN, "http://LOCALHOST:9510"), (FETCH_SITE, "same-origin")]), Ok(()));
        assert_eq!(post(&[(FETCH_SITE, "none")]), Ok(()));
        for origin in [
            "https://evil.example",
            "http://localhost",
            "http://localhost:9511",
            "http://127.0.0.1:9510",
            "null",
            "",
            "file://",
            "localhost:9510",
            "chrome-extension://abcdef",
        ] {
            assert_eq!(post(&[(ORIGIN, origin)]), Err(Foreign::Origin), "{origin:?}");
        }
        for site in ["cross-site", "same-site", "Same-Origin", "", "other"] {
            assert_eq!(post(&[(FETCH_SITE, site)]), Err(Foreign::Origin), "{site:?}");
        }
        let two = [(ORIGIN, "http://localhost:9510"), (ORIGIN, "https://evil.example")];
        assert_eq!(post(&two), Err(Foreign::Origin));
    }
    // A rebound name is the page's own origin.
    let rebound = [(ORIGIN, "http://evil.example:9510"), (FETCH_SITE, "same-origin")];
    assert_eq!(post("0.0.0.0", "evil.example:9510", &rebound), Err(Foreign::Origin));
    let proxied = [(ORIGIN, "https://metrics.example")];
    assert_eq!(post("127.0.0.1", "metrics.example", &proxied), Ok(()));
}

#[test]
fn pages_may_look_where_they_may_not_post() {
    // Such a page cannot read the answer of a GET: there is no CORS header.
    let cross = request(
        Method::GET,
        "/api/v1/snapshot",
        &[(HOST, "localhost:9510"), (ORIGIN, "https://evil.example"), (FETCH_SITE, "cross-site")],
    );
    assert_eq!(hosts("127.0.0.1").check(&cross), Ok(()));
}
