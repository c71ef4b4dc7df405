//! How a server stands, asked on the connection of an order.

use super::directory::Directory;
use super::line::Line;
use crate::election::{Failure, Report};
use crate::gtid::MariaDbState;
use crate::probing::log_is_filtered;
use crate::probing::standing::{Channels, FIRST_LOG, Fixed, LOG_FILTERS, Questions, first_log_state, report};
use crate::topology::Flavor;

/// Asks how a server stands.
pub(super) async fn ask(line: &mut Line, directory: &Directory) -> Result<(Report, Channels), Failure> {
    let fixed = fixed(line).await?;
    stand(line, &fixed, directory).await
}

/// The same, where what does not change is known.
pub(super) async fn stand(
    line: &mut Line,
    fixed: &Fixed,
    directory: &Directory,
) -> Result<(Report, Channels), Failure> {
    let questions = Questions::of(fixed.flavor, fixed.version);
    let own = line.ask(&questions.own).await?;
    let channels = line.ask(questions.channel).await?;
    report(fixed, &own, &channels, directory).map_err(|problem| Failure::Refused(problem.to_string()))
}

/// What does not change while an order is carried out.
pub(super) async fn fixed(line: &mut Line) -> Result<Fixed, Failure> {
    let flavor = line.flavor();
    let greeting = line.connection().greeting.as_ref();
    let version = greeting.map_or(0, |greeting| Flavor::version_of_greeting(&greeting.version));
    let mut log_filtered = false;
    for question in LOG_FILTERS {
        match line.ask(question).await {
            Ok(answer) => {
                log_filtered = log_is_filtered(&answer);
                break;
            }
            // The other name of it.
            Err(Failure::Refused(_)) => {}
            Err(late) => return Err(late),
        }
    }
    let mut purged = MariaDbState::default();
    if flavor == Flavor::MariaDb {
        let first = line.ask(FIRST_LOG).await?;
        purged = first_log_state(&first).map_err(|problem| Failure::Refused(problem.to_string()))?;
    }
    Ok(Fixed { flavor, version, log_filtered, purged })
}
