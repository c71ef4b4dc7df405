//! The steps of `headgate init`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use arc_swap::ArcSwap;

use super::account;
use super::discover::discover;
use super::draft::{Draft, proven};
use super::write::Aside;
use crate::app::build;
use crate::app::settings::BackendLink;
use crate::app::survey::{Caller, survey};
use crate::auth::Secret;
use crate::config::{BackendTls, Config};
use crate::net::tls::ClientTls;
use crate::probing::grants::Grantee;
use crate::probing::survey::{Plan, Survey, Surveyed, Told, audit, discovery, findings, servers};
use crate::topology::Address;

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Servers of the cluster, one at least.
    pub servers: Vec<Address>,
    /// The administrator's account.
    pub user: String,
    /// The file to write.
    pub output: PathBuf,
    /// Replace that file.
    pub force: bool,
    /// Make the control account, not only say how.
    pub create_account: bool,
    /// The control account's name.
    pub control_user: String,
    /// Its host part.
    pub control_host: String,
    /// The file with its password; nothing: beside the configuration.
    pub control_password_file: Option<PathBuf>,
    /// How servers are connected to; nothing: the safest way that works.
    pub tls: Option<BackendTls>,
    /// The authority that signed their certificates.
    pub ca: Option<PathBuf>,
}

/// The files that are written, by their full paths.
struct Places {
    output: PathBuf,
    password: PathBuf,
}

/// Asks the cluster and writes the file, telling `say` what is found. Asks for the password only once it is
/// clear that the file could be written.
///
/// # Errors
/// Nothing could be asked, there is no primary, or a file cannot be written. Nothing is left half done.
pub fn init(
    request: &Request,
    password: impl FnOnce() -> anyhow::Result<Secret>,
    say: impl Fn(&str),
) -> anyhow::Result<()> {
    let places = places(request)?;
    let password = password()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(Run { request, places: &places, say: &say }.run(password))
}

fn places(request: &Request) -> anyhow::Result<Places> {
    let absolute = |path: &Path| {
        std::path::absolute(path).with_context(|| format!("{} is no path of a file", path.display()))
    };
    let output = absolute(&request.output)?;
    let password = match &request.control_password_file {
        Some(path) => absolute(path)?,
        None => output.with_file_name("control.password"),
    };
    if output.exists() && !request.force {
        bail!("{} exists already; give --force to replace it, or --output another", output.display());
    }
    if request.create_account && password.exists() {
        bail!(
            "{} exists already, and may be what a running Headgate logs in with; remove it, or give \
             --control-password-file another",
            password.display()
        );
    }
    for folder in [&output, &password].into_iter().filter_map(|path| path.parent()) {
        if !folder.is_dir() {
            bail!("{} is no directory; make it first", folder.display());
        }
    }
    Ok(Places { output, password })
}

struct Run<'a> {
    request: &'a Request,
    places: &'a Places,
    say: &'a dyn Fn(&str),
}

impl Run<'_> {
    async fn run(&self, password: Secret) -> anyhow::Result<()> {
        let (administrator, mut survey, tls) = self.first_look(password).await?;
        if survey.answering().next().is_none() {
            let why =
                survey.0.iter().filter_map(|server| server.told.as_ref().err().map(|why| (server, why)));
            let why: Vec<String> = why.map(|(server, why)| format!("{}: {why}", server.address)).collect();
            bail!("no server can be asked\n{}", why.join("\n"));
        }
        let outcomes = discover(&mut survey, &administrator).await;
        let judgement = survey.judge();
        (self.say)(servers(&survey, &judgement).trim_end());
        if let Some(line) = discovery(&survey, false) {
            (self.say)(line.trim_end());
        }
        outcomes.iter().for_each(|outcome| (self.say)(outcome));
        let tls = self.safest(tls, &survey);
        let control = (self.request.control_user.as_str(), self.places.password.as_path());
        let draft = Draft::of(&survey, &judgement, control, (tls, self.request.ca.as_deref()));
        let plan = Plan {
            judge_grants: false,
            split: draft.config.routing.split,
            max_connections: draft.config.pool.max_connections_per_server,
            idle_timeout: draft.config.pool.idle_timeout,
            tls_disabled: tls == BackendTls::Disabled,
            client_certificate: false,
            announces_clients: false,
        };
        (self.say)(&findings(&audit(&survey, &judgement, &plan)));
        let Some((primary, told)) = survey.primary(&judgement) else {
            bail!("nothing was written, since there is no primary; solve that and run it again");
        };
        let text = proven(&draft)?;
        let cannot = || format!("{} cannot be written", self.places.output.display());
        // All that can fail before an account is made, so that it is not made in vain.
        let file = Aside::write(&self.places.output, text.as_bytes(), 0o644, self.request.force)
            .with_context(cannot)?;
        self.account(&survey, (&primary.address, told), &administrator, tls).await?;
        file.put().with_context(cannot)?;
        self.say_next();
        Ok(())
    }

    /// Asks the servers that were named, with the safest TLS that they can do.
    async fn first_look(&self, password: Secret) -> anyhow::Result<(Arc<Caller>, Survey, BackendTls)> {
        let modes: &[BackendTls] = match (&self.request.tls, &self.request.ca) {
            (Some(mode), _) => std::slice::from_ref(mode),
            (None, Some(_)) => &[BackendTls::VerifyIdentity, BackendTls::VerifyCa],
            (None, None) => &[BackendTls::Preferred],
        };
        let mut best: Option<(Arc<Caller>, Survey, BackendTls)> = None;
        for mode in modes {
            let caller = Arc::new(self.caller(&self.request.user, password.duplicate(), *mode)?);
            let found = survey(&self.request.servers, &caller).await;
            let answered = found.answering().count();
            if best.as_ref().is_none_or(|(_, before, _)| before.answering().count() < answered) {
                best = Some((caller, found, *mode));
            }
            if answered == self.request.servers.len() {
                break;
            }
        }
        best.context("there is no way to connect")
    }

    /// Where all servers can encrypt, none of them shall be talked out of it.
    fn safest(&self, mode: BackendTls, found: &Survey) -> BackendTls {
        let encrypts = |server: &Surveyed| server.told.as_ref().is_ok_and(|told| told.encrypted);
        match mode {
            BackendTls::Preferred if self.request.tls.is_none() && found.0.iter().all(encrypts) => {
                BackendTls::Required
            }
            mode => mode,
        }
    }

    fn caller(&self, user: &str, secret: Secret, tls: BackendTls) -> anyhow::Result<Caller> {
        let link = BackendLink {
            tls,
            ca: self.request.ca.clone(),
            certificate: None,
            connect_timeout: Config::default().servers.connect_timeout,
            proxy_protocol: false,
        };
        let tls = ClientTls::load(&build::backend_tls(&link))?;
        Ok(Caller {
            user: user.to_owned(),
            secret,
            tls: Arc::new(ArcSwap::from_pointee(tls)),
            connect_timeout: link.connect_timeout,
            proxy_protocol: link.proxy_protocol,
            seek_replicas: true,
        })
    }

    /// Makes the account, or says how.
    async fn account(
        &self,
        survey: &Survey,
        primary: (&Address, &Told),
        administrator: &Caller,
        tls: BackendTls,
    ) -> anyhow::Result<()> {
        let (address, told) = primary;
        let to = Grantee { user: &self.request.control_user, host: &self.request.control_host };
        let exists =
            told.accounts.iter().flatten().any(|account| account.user == to.user && account.host == to.host);
        if !self.request.create_account {
            let made = if exists { account::Made::Already } else { account::Made::NotYet };
            (self.say)(&account::instructions((address, told), to, made, &self.places.password));
            return Ok(());
        }
        if exists {
            bail!(
                "nothing was written, since the account {to} exists already and may be in use; leave \
                 --create-account out, or give --control-user another name"
            );
        }
        let secret = account::create((address, told), administrator, to, &self.places.password).await?;
        let file = self.places.password.display();
        (self.say)(&format!(
            "\nthe control account {to} was made on {address}; its password is in {file}, for its owner alone"
        ));
        let control = self.caller(to.user, secret, tls)?;
        let answering: Vec<Address> = survey.answering().map(|(server, _)| server.address.clone()).collect();
        if let Err(error) = account::wait_for(&answering, &control).await {
            (self.say)(&format!("warning: {error}"));
        }
        Ok(())
    }

    fn say_next(&self) {
        let output = self.places.output.display();
        (self.say)(&format!(
            "\n{output} was written; now\n    headgate check --connect --config {output}\n    headgate run --config {output}"
        ));
    }
}
