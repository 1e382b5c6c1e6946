//! Containers that wait for their description by a container runtime.

use std::collections::VecDeque;

use agent_core::identity::directory::ContainerFacts;

use crate::source::SourceError;
use crate::source::identity::cri::ROOM;

/// Times that a runtime is asked for one container: it may list a container a moment after its cgroup was made.
const ATTEMPTS: u8 = 3;

/// Ids of containers, with the attempts that had no description. Of more than [`ROOM`], the first ones are dropped.
#[derive(Debug, Default)]
pub(super) struct Waiting(VecDeque<(String, u8)>);

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, id: String) {
        self.0.push_back((id, 0));
        while self.0.len() > ROOM {
            self.0.pop_front();
        }
    }

    /// Asks once for each container. Those without a description stay, if they have attempts left.
    ///
    /// An answer that cannot be read is an attempt for its container only; the last such error is returned at the end. Where the runtime
    /// does not answer, all that are left stay as they are, because the cause is not one container.
    pub(super) async fn ask<Answer>(
        &mut self,
        describe: impl Fn(String) -> Answer,
        mut described: impl FnMut(String, ContainerFacts),
    ) -> Result<(), SourceError>
    where
        Answer: Future<Output = Result<Option<ContainerFacts>, SourceError>>,
    {
        let mut unreadable = Ok(());
        for _ in 0..self.0.len() {
            let Some((id, attempts)) = self.0.pop_front() else { break };
            match describe(id.clone()).await {
                Ok(Some(facts)) => {
                    described(id, facts);
                    continue;
                }
                Ok(None) => {}
                Err(error @ SourceError::Broken { .. }) => unreadable = Err(error),
                Err(error) => {
                    self.0.push_back((id, attempts));
                    return Err(error);
                }
            }
            if attempts + 1 < ATTEMPTS {
                self.0.push_back((id, attempts + 1));
            }
        }
        unreadable
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::io;

    use super::*;

    /// Asks once; `answer` is the runtime. Returns the described ids, and the error.
    async fn ask(
        waiting: &mut Waiting,
        answer: impl Fn(&str) -> Result<Option<ContainerFacts>, SourceError>,
    ) -> (Vec<String>, Option<String>) {
        let mut ids = Vec::new();
        let result = waiting.ask(|id| ready(answer(&id)), |id, _| ids.push(id)).await;
        (ids, result.err().map(|error| error.chain()))
    }

    fn waiting(ids: &[&str]) -> Waiting {
        let mut waiting = Waiting::default();
        for id in ids {
            waiting.add((*id).to_owned());
        }
        waiting
    }

    #[tokio::test]
    async fn a_container_whose_answer_cannot_be_read_delays_no_other_one() {
        let mut all = waiting(&["odd", "good"]);
        let answer = |id: &str| match id {
            "odd" => Err(SourceError::broken("its answer cannot be read")),
            _ => Ok(Some(ContainerFacts::default())),
        };
        let unreadable = Some("its answer cannot be read".to_owned());
        assert_eq!(ask(&mut all, answer).await, (vec!["good".to_owned()], unreadable.clone()));
        for attempt in 2..=ATTEMPTS {
            assert_eq!(ask(&mut all, answer).await, (vec![], unreadable.clone()), "attempt {attempt}");
        }
        assert!(all.is_empty(), "it has no attempts left: {all:?}");
    }

    #[tokio::test]
    async fn a_container_that_the_runtime_lists_later_is_asked_for_again() {
        let mut all = waiting(&["new"]);
        assert_eq!(ask(&mut all, |_| Ok(None)).await, (vec![], None));
        assert_eq!(ask(&mut all, |_| Ok(Some(ContainerFacts::default()))).await.0, ["new"]);
        let mut all = waiting(&["gone"]);
        for _ in 0..ATTEMPTS {
            assert!(!all.is_empty());
            assert_eq!(ask(&mut all, |_| Ok(None)).await, (vec![], None));
        }
        assert!(all.is_empty());
    }

    #[tokio::test]
    async fn a_runtime_without_an_answer_costs_no_container_an_attempt() {
        let mut all = waiting(&["first", "second"]);
        for _ in 0..2 * ATTEMPTS {
            let refused = || SourceError::transient("ask", io::ErrorKind::ConnectionRefused.into());
            let (described, error) = ask(&mut all, |_| Err(refused())).await;
            assert!(described.is_empty() && error.is_some());
        }
        let (mut described, error) = ask(&mut all, |_| Ok(Some(ContainerFacts::default()))).await;
        described.sort();
        assert_eq!((described, error), (vec!["first".to_owned(), "second".to_owned()], None));
    }

    #[test]
    fn of_too_many_the_first_ones_are_dropped() {
        let mut all = Waiting::default();
        for number in 0..=ROOM {
            all.add(number.to_string());
        }
        assert_eq!(all.0.len(), ROOM);
        assert_eq!(all.0.front().map(|(id, _)| id.as_str()), Some("1"));
    }
}
