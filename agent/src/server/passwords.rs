//! Compares passwords with bcrypt hashes, on threads that answer no scrapes.
//!
//! bcrypt is slow on purpose: few comparisons run at once, a password that was right a moment ago is not compared again, and an unknown
//! name takes as long as a known one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{Context, SHA256};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::Semaphore;

use crate::server::web_config::{Secret, WebConfigError};

/// Most credentials that are remembered: more than there are scrapers.
const REMEMBERED: usize = 64;

/// Comparisons at a time: guessing passwords takes one CPU at most.
const AT_ONCE: usize = 1;

/// Most comparisons that wait; further ones are refused.
const WAITING: usize = 16;

/// bcrypt doubles its work with each step: above this cost, one comparison takes seconds.
const DEAREST: u32 = 14;

/// Users and the hashes of their passwords.
pub(super) type Users = BTreeMap<String, Secret>;

/// Result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Right,
    Wrong,
    /// Too many are waiting.
    Busy,
}

/// Comparison of passwords, with a cache.
pub(super) struct Passwords {
    /// Digests of credentials that were right, oldest first. They include the hash: a changed password is a new one.
    right: Mutex<VecDeque<[u8; 32]>>,
    /// Random salt of this process.
    salt: [u8; 32],
    turn: Semaphore,
    queue: Semaphore,
    compare: Compare,
}

/// Compares a password with a hash.
type Compare = Arc<dyn Fn(&[u8], &str) -> bool + Send + Sync>;

impl Passwords {
    pub(super) fn new() -> Self {
        Self::with(|password, hash| matches!(bcrypt::verify(password, hash), Ok(true)))
    }

    fn with(compare: impl Fn(&[u8], &str) -> bool + Send + Sync + 'static) -> Self {
        let mut salt = [0; 32];
        // Without randomness the digests are unsalted, and still in this process's memory only.
        let _ = SystemRandom::new().fill(&mut salt);
        Self {
            right: Mutex::default(),
            salt,
            turn: Semaphore::new(AT_ONCE),
            queue: Semaphore::new(AT_ONCE + WAITING),
            compare: Arc::new(compare),
        }
    }

    /// Compares the credentials of an `Authorization` header with the configured users.
    pub(super) async fn check(&self, users: &Users, authorization: Option<&[u8]>) -> Verdict {
        let Some((user, password)) = authorization.and_then(credentials) else { return Verdict::Wrong };
        let known = users.get(&user);
        let Some(Secret(hash)) = known.or_else(|| self.stand_in(users, &user)).cloned() else {
            return Verdict::Wrong;
        };
        let digest = self.digest(&user, &password, &hash);
        if known.is_some() && self.is_remembered(&digest) {
            return Verdict::Right;
        }
        let Ok(_waiting) = self.queue.try_acquire() else { return Verdict::Busy };
        let Ok(_turn) = self.turn.acquire().await else { return Verdict::Busy };
        let compare = Arc::clone(&self.compare);
        let is_right = tokio::task::spawn_blocking(move || compare(&password, &hash)).await.unwrap_or(false);
        if !is_right || known.is_none() {
            return Verdict::Wrong;
        }
        self.remember(digest);
        Verdict::Right
    }

    /// The hash of another user for an unknown name: always the same one for that name, so that the name takes as long as
    /// an existing one, whatever the cost of hashes here.
    fn stand_in<'a>(&self, users: &'a Users, name: &str) -> Option<&'a Secret> {
        let digest = self.digest(name, b"", "");
        let number = u64::from_le_bytes(digest[..8].try_into().ok()?);
        let count = u64::try_from(users.len()).ok()?;
        users.values().nth(usize::try_from(number.checked_rem(count)?).ok()?)
    }

    fn digest(&self, user: &str, password: &[u8], hash: &str) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        context.update(&self.salt);
        for part in [user.as_bytes(), hash.as_bytes(), password] {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        digest
    }

    fn is_remembered(&self, digest: &[u8; 32]) -> bool {
        self.right.lock().unwrap_or_else(PoisonError::into_inner).contains(digest)
    }

    fn remember(&self, digest: [u8; 32]) {
        let mut right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        if right.len() == REMEMBERED {
            right.pop_front();
        }
        right.push_back(digest);
    }
}

/// User and password of `Basic …` (RFC 7617).
fn credentials(header: &[u8]) -> Option<(String, Vec<u8>)> {
    let text = std::str::from_utf8(header).ok()?;
    let (scheme, encoded) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(encoded.trim()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let user = String::from_utf8(decoded[..colon].to_vec()).ok()?;
    Some((user, decoded[colon + 1..].to_vec()))
}

/// Checks that every hash is valid, and that comparing with it is not too expensive.
pub(super) fn check_hashes(users: &Users) -> Result<(), WebConfigError> {
    for (user, Secret(hash)) in users {
        let key = format!("basic_auth_users.{user}");
        let Ok(parts) = hash.parse::<bcrypt::HashParts>() else {
            let problem = "is not a bcrypt hash; `htpasswd -nBC 10 \"\" | tr -d ':\\n'` makes one";
            return Err(WebConfigError::invalid(key, problem));
        };
        if parts.get_cost() > DEAREST {
            let problem = format!(
                "has cost {}, but at most {DEAREST} is allowed, because each scrape waits for the \
                 comparison",
                parts.get_cost()
            );
            return Err(WebConfigError::invalid(key, problem));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &str = "a password";

    fn users() -> Users {
        [("scraper".to_owned(), Secret(bcrypt::hash(PASSWORD, 4).unwrap()))].into()
    }

    fn header(user: &str, password: &str) -> Vec<u8> {
        format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))).into_bytes()
    }

    async fn check(passwords: &Passwords, users: &Users, user: &str, password: &str) -> Verdict {
        passwords.check(users, Some(&header(user, password))).await
    }

    #[tokio::test]
    async fn the_right_password_and_no_other() {
        let (passwords, users) = (Passwords::new(), users());
        for _ in 0..2 {
            assert_eq!(check(&passwords, &users, "scraper", PASSWORD).await, Verdict::Right);
            assert_eq!(check(&passwords, &users, "scraper", "another").await, Verdict::Wrong);
            assert_eq!(check(&passwords, &users, "nobody", PASSWORD).await, Verdict::Wrong);
            assert_eq!(check(&passwords, &users, "", "").await, Verdict::Wrong);
        }
        for nonsense in [&b""[..], b"Basic", b"Basic !", b"Bearer abc", b"Basic \xff", b"Basic bm9jb2xvbg=="]
        {
            assert_eq!(passwords.check(&users, Some(nonsense)).await, Verdict::Wrong);
        }
        assert_eq!(passwords.check(&users, None).await, Verdict::Wrong);
    }

    #[tokio::test]
    async fn what_was_right_is_forgotten_with_its_hash_and_never_kept_without_bound() {
        let (passwords, users) = (Passwords::new(), users());
        assert_eq!(check(&passwords, &users, "scraper", PASSWORD).await, Verdict::Right);
        let changed: Users = [("scraper".to_owned(), Secret(bcrypt::hash("new", 4).unwrap()))].into();
        assert_eq!(check(&passwords, &changed, "scraper", PASSWORD).await, Verdict::Wrong);
        for number in 0..2 * REMEMBERED {
            let mut digest = [0; 32];
            digest[0] = number as u8;
            passwords.remember(digest);
        }
        assert_eq!(passwords.right.lock().unwrap().len(), REMEMBERED);
    }

    #[tokio::test]
    async fn those_who_guess_cannot_queue_without_end() {
        let (passwords, users) = (Passwords::new(), users());
        assert_eq!(check(&passwords, &users, "scraper", PASSWORD).await, Verdict::Right);
        let _all = passwords.queue.try_acquire_many((AT_ONCE + WAITING) as u32).unwrap();
        assert_eq!(check(&passwords, &users, "scraper", "guess").await, Verdict::Busy);
        assert_eq!(
            check(&passwords, &users, "scraper", PASSWORD).await,
            Verdict::Right,
            "who is known need not wait"
        );
    }

    /// A comparison that counts its work: bcrypt's rounds.
    fn counting() -> (Passwords, Arc<Mutex<Vec<u64>>>) {
        let done = Arc::new(Mutex::new(Vec::new()));
        let count = Arc::clone(&done);
        let passwords = Passwords::with(move |_, hash| {
            let cost = hash.parse::<bcrypt::HashParts>().unwrap().get_cost();
            count.lock().unwrap().push(1 << cost);
            true
        });
        (passwords, done)
    }

    fn with_costs(costs: &[u32]) -> Users {
        let hash =
            |cost| Secret(format!("$2b${cost:02}$5vZL1tN2ejMhDSFgUVWTOOZyhsw9m85jFf7byu5/pgP9BHLTUYWrG"));
        costs.iter().enumerate().map(|(number, cost)| (format!("user {number}"), hash(*cost))).collect()
    }

    #[tokio::test]
    async fn a_name_that_nobody_has_takes_as_much_work_as_one_that_exists() {
        for cost in [4, 10, 12, 14] {
            let (users, (passwords, done)) = (with_costs(&[cost]), counting());
            for (name, expected) in [
                ("user 0", Verdict::Right),
                ("nobody", Verdict::Wrong),
                ("", Verdict::Wrong),
                ("User 0", Verdict::Wrong),
            ] {
                assert_eq!(check(&passwords, &users, name, "guess").await, expected, "{name:?}");
            }
            assert_eq!(*done.lock().unwrap(), [1 << cost; 4]);
        }
    }

    #[tokio::test]
    async fn where_costs_differ_a_name_always_takes_the_same_and_names_take_all_of_them() {
        let (users, (passwords, done)) = (with_costs(&[4, 14]), counting());
        let mut seen = std::collections::BTreeSet::new();
        for number in 0..100 {
            let name = format!("nobody {number}");
            for _ in 0..2 {
                assert_eq!(check(&passwords, &users, &name, "guess").await, Verdict::Wrong);
            }
            let work = std::mem::take(&mut *done.lock().unwrap());
            assert_eq!((work.len(), work[0]), (2, work[1]), "{name}");
            seen.insert(work[0]);
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [1 << 4, 1 << 14]);
    }

    #[test]
    fn a_hash_is_a_hash_and_not_too_dear() {
        check_hashes(&users()).unwrap();
        let of = |hash: &str| [("admin".to_owned(), Secret(hash.to_owned()))].into();
        for (hash, says) in [
            ("secret", "not a bcrypt hash"),
            ("", "not a bcrypt hash"),
            ("$2y$31$abcdefghijklmnopqrstuuWmHhsuvsJSzTuv1sXgAtp5Hd1wJ7XJu", "cost 31"),
        ] {
            let error = check_hashes(&of(hash)).unwrap_err().to_string();
            assert!(error.contains("basic_auth_users.admin") && error.contains(says), "{error}");
            assert!(hash.is_empty() || !error.contains(hash), "{error}");
        }
    }
}
