//! Asks a server what it says of itself and of others.

use std::collections::BTreeMap;

use super::prober::Prober;
use crate::backend::{BackendError, Connection};
use crate::probing::Observation;
use crate::probing::discovery::Word;
use crate::probing::discovery::queries::{self, Refusal};
use crate::probing::family::{Family, Kin, aurora, group};
use crate::probing::survey::followers;
use crate::wire::Malformed;
use crate::wire::answer::Answer;

/// What a server says, and what it has refused to say.
pub(super) struct Asked {
    pub(super) word: Word,
    /// The account may not ask for replicas. It is tried again when the variables are.
    may_not_list: bool,
    /// Nor for the members of its replication group.
    may_not_group: bool,
}

impl Prober {
    /// Who the server is, and of which family.
    pub(super) async fn ask_who(&self, connection: &mut Connection) -> Result<Asked, BackendError> {
        let answer = self.ask(connection, &queries::variables()).await?;
        let pair = |mut row: Vec<Option<String>>| {
            let value = row.pop()?.unwrap_or_default();
            Some((row.pop()??.to_ascii_lowercase(), value))
        };
        let variables: BTreeMap<String, String> = answer.rows.into_iter().filter_map(pair).collect();
        let word = Word::read(connection.flavor(), &variables);
        let word = word.ok_or(Malformed::new("answer to who the server is"))?;
        Ok(Asked { word, may_not_list: false, may_not_group: false })
    }

    /// Whom it knows: its sources as they were observed, its replicas, the members of its group.
    pub(super) async fn ask_others(
        &self,
        connection: &mut Connection,
        asked: &mut Asked,
        observation: &mut Observation,
    ) -> Result<(), BackendError> {
        let word = &mut asked.word;
        word.sources.clone_from(&observation.channels);
        word.followers.clear();
        if self.settings.discovery.is_some() && !asked.may_not_list {
            match self.ask_first(connection, &queries::REPLICAS).await? {
                Ok(replicas) => {
                    let silent =
                        |row: &Vec<Option<String>>| replicas.get(row, "Host").unwrap_or_default().is_empty();
                    let mut threads = Answer::default();
                    if replicas.rows.iter().any(silent) {
                        let dumps = queries::dumps(connection.flavor());
                        threads = self.ask_first(connection, dumps).await?.unwrap_or_default();
                    }
                    word.followers = followers(&replicas, &threads);
                }
                Err(_) => asked.may_not_list = true,
            }
        }
        let mut members = None;
        if matches!(word.family, Family::Group { .. }) && !asked.may_not_group {
            match self.ask_first(connection, &[queries::MEMBERS]).await? {
                Ok(answer) => members = Some(group::members(&answer)),
                Err(_) => asked.may_not_group = true,
            }
        }
        word.members = members.clone().unwrap_or_default();
        if word.family == Family::Aurora {
            let answer = self.ask_first(connection, &[queries::INSTANCES]).await?;
            word.instances = answer.map(|answer| aurora::instances(&answer)).unwrap_or_default();
        }
        observation.kin = Kin {
            family: word.family.clone(),
            members,
            instance: word.who.instance.clone(),
            instances: word.instances.clone(),
        };
        Ok(())
    }

    /// The answer to the first question that the server knows, else what its refusal means.
    async fn ask_first(
        &self,
        connection: &mut Connection,
        questions: &[&str],
    ) -> Result<Result<Answer, Refusal>, BackendError> {
        let mut refusal = Refusal::Unknown;
        for question in questions {
            match self.ask(connection, question).await {
                Ok(answer) => return Ok(Ok(answer)),
                Err(BackendError::Refused { error }) => refusal = Refusal::of(error.code),
                Err(error) => return Err(error),
            }
        }
        Ok(Err(refusal))
    }
}
