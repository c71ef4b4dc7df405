//! Where metrics are registered, and their text.

use std::fmt;

use metrics::{Counter, Gauge, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use super::metric::{self, Kind, METRICS, Metric};
use super::process;

/// The metrics of one Headgate. Handles are taken from it once; increments never come here again.
pub struct Registry {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    memory: Gauge,
    files: Gauge,
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Registry")
    }
}

impl Registry {
    /// A registry that knows what every metric means and has no values yet.
    pub fn new() -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        for metric in METRICS {
            let (name, help) = (metric.name.into(), metric.help.trim().into());
            match metric.kind {
                Kind::Counter => recorder.describe_counter(name, None, help),
                Kind::Gauge => recorder.describe_gauge(name, None, help),
            }
        }
        let handle = recorder.handle();
        gauge_in(&recorder, metric::BUILD, &[env!("CARGO_PKG_VERSION")]).set(1.0);
        let memory = gauge_in(&recorder, metric::MEMORY, &[]);
        let files = gauge_in(&recorder, metric::FILES, &[]);
        Self { recorder, handle, memory, files }
    }

    /// The handle of a counter; `values` are those of its labels, in their order.
    pub(super) fn counter(&self, metric: &'static Metric, values: &[&str]) -> Counter {
        self.recorder.register_counter(&key(metric, values), &METADATA)
    }

    /// The handle of a gauge; `values` are those of its labels, in their order.
    pub(super) fn gauge(&self, metric: &'static Metric, values: &[&str]) -> Gauge {
        gauge_in(&self.recorder, metric, values)
    }

    /// All values in the Prometheus text format.
    pub fn render(&self) -> String {
        if let Some(bytes) = process::resident_bytes() {
            self.memory.set(bytes);
        }
        if let Some(count) = process::open_files() {
            self.files.set(count);
        }
        // Publishes the descriptions; cheap when there is nothing new.
        self.handle.run_upkeep();
        self.handle.render()
    }
}

/// What the exporter is told about where a metric comes from; it does not use it.
const METADATA: Metadata<'static> = Metadata::new("headgate", Level::INFO, None);

fn gauge_in(recorder: &PrometheusRecorder, metric: &'static Metric, values: &[&str]) -> Gauge {
    recorder.register_gauge(&key(metric, values), &METADATA)
}

fn key(metric: &'static Metric, values: &[&str]) -> Key {
    debug_assert_eq!(metric.labels.len(), values.len(), "labels of {}", metric.name);
    let labels: Vec<Label> = metric
        .labels
        .iter()
        .zip(values)
        .map(|(label, value)| Label::new(*label, (*value).to_owned()))
        .collect();
    Key::from_parts(metric.name, labels)
}
