//! Tests of web configurations, and of the messages about broken ones.

use super::*;

fn parse(text: &str) -> Result<WebConfig, String> {
    WebConfig::parse(text, Path::new("/etc/ffwatt")).map_err(|error| error.to_string())
}

#[test]
fn nothing_is_a_configuration() {
    for text in ["", "\n", "# nothing\n", "{}", "---\n"] {
        let config = parse(text).unwrap();
        assert!(config.tls_server_config.is_none() && config.basic_auth_users.is_empty());
    }
}

#[test]
fn a_file_of_an_exporter_is_understood_and_paths_are_beside_it() {
    let text = "\
tls_server_config:
  cert_file: server.crt
  key_file: /elsewhere/server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.crt
  min_version: TLS13
  prefer_server_cipher_suites: true
http_server_config:
  http2: true
  headers:
    X-Frame-Options: deny
basic_auth_users:
  alice: $2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi
";
    let config = parse(text).unwrap();
    let files: Vec<_> = config.files().map(|path| path.to_str().unwrap()).collect();
    assert_eq!(files, ["/etc/ffwatt/server.crt", "/elsewhere/server.key", "/etc/ffwatt/ca.crt"]);
    let tls = config.tls_server_config.unwrap();
    assert_eq!(tls.client_auth_type, ClientAuth::RequireAndVerifyClientCert);
    assert_eq!((tls.min_version, tls.max_version), (Version::Tls13, Version::Any));
    assert_eq!(config.basic_auth_users.keys().collect::<Vec<_>>(), ["alice"]);
}

#[test]
fn what_cannot_be_understood_is_named_with_its_line() {
    for (text, says) in [
        ("tls_server_config:\n  cert_fil: a\n", &["cert_fil", "line 2"][..]),
        ("basic_auth_user: {}\n", &["basic_auth_user", "line 1"]),
        (
            "tls_server_config:\n  cert_file: a\n  client_auth_type: Sometimes\n",
            &["RequireAndVerifyClientCert", "line 3"],
        ),
        ("tls_server_config:\n  min_version: TLS10\n", &["TLS13", "TLS12", "line 2"]),
        ("basic_auth_users:\n  a: x\n  a: y\n", &["twice", "line 3"]),
        ("basic_auth_users: [\n", &["line"]),
        ("tls_server_config: {client_allowed_sans: [x]}", &["unknown key", "line 1, column 21", "cert_file"]),
    ] {
        let error = parse(text).unwrap_err();
        assert!(says.iter().all(|part| error.contains(part)), "{text:?}: {error}");
    }
}

#[test]
fn secrets_are_not_quoted() {
    for text in [
        "basic_auth_users:\n  alice: $2y$10$hidden\n  : : :\nx",
        // A hash in place of a key, and a key's line in another's.
        "basic_auth_users:\n  $2y$10$hidden: alice\n  $2y$10$hidden: bob\n",
        "$2y$10$hidden: alice\n",
        "bas $2b$10$hidden, \"b c\": x}\n",
        "tls_server_config:\n  key_file: a\n  MIIBVgIBADANBgkqhkiG9w0BAQEFhidden: b\n",
        "tls_server_config:\n  min_version: $2y$10$hidden\n",
        "basic_auth_users: $2y$10$hidden\n",
        "hidden",
        "hidden\n",
        "- hidden\n",
        "hidden: hidden\n",
        "tls_server_config:\n  hidden: hidden\n",
        "root:hidden:19000:0:99999:7:::\n",
        "tls_server_config: hidden\n",
        "tls_server_config:\n  client_auth_type: hidden\n",
        "tls_server_config:\n  cipher_suites: hidden\n",
        "http_server_config:\n  http2: hidden\n",
    ] {
        let error = parse(text).unwrap_err();
        assert!(!error.contains("hidden") && error.contains("line"), "{error}");
    }
}

#[test]
fn a_small_file_does_not_grow() {
    let mut text = String::from("a: &a [x,x,x,x,x,x,x,x,x]\n");
    for (name, of) in
        [("b", "a"), ("c", "b"), ("d", "c"), ("e", "d"), ("f", "e"), ("g", "f"), ("h", "g"), ("i", "h")]
    {
        let many = format!("*{of},").repeat(9);
        text.extend([name, ": &", name, " [", &many, "]\n"]);
    }
    parse(&text).unwrap_err();
}
