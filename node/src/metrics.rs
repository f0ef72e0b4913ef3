// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Planaria developers

//! Tables of metrics for Prometheus. What each says, and what to do about it, is in
//! `docs/monitoring`.

use substrate_prometheus_endpoint::{
	Counter, F64, Gauge, PrometheusError, Registry, U64, register,
};

/// A metric of one of the kinds in a table.
pub trait Metric: Sized {
	/// Makes and registers it.
	fn register(name: &str, help: &str, registry: &Registry) -> Result<Self, PrometheusError>;
}

/// A whole number that goes up and down.
pub type Whole = Gauge<U64>;

/// A number that goes up and down; not a number where it is not known.
pub type Real = Gauge<F64>;

/// A number that only grows as long as the node runs.
pub struct Total(Counter<U64>);

impl Total {
	/// Brings it up to `total`, which somebody else has counted since the node started.
	pub fn raise(&self, total: u64) {
		self.0.inc_by(total.saturating_sub(self.0.get()));
	}
}

impl Metric for Whole {
	fn register(name: &str, help: &str, registry: &Registry) -> Result<Self, PrometheusError> {
		register(Self::new(name, help)?, registry)
	}
}

impl Metric for Real {
	fn register(name: &str, help: &str, registry: &Registry) -> Result<Self, PrometheusError> {
		register(Self::new(name, help)?, registry)
	}
}

impl Metric for Total {
	fn register(name: &str, help: &str, registry: &Registry) -> Result<Self, PrometheusError> {
		Ok(Self(register(Counter::new(name, help)?, registry)?))
	}
}

/// A number, or not a number.
#[allow(clippy::cast_precision_loss)]
pub fn known(number: Option<u64>) -> f64 {
	number.map_or(f64::NAN, |number| number as f64)
}

/// Declares a struct of metrics and how they are registered.
macro_rules! metrics {
	($(#[$doc:meta])* $table:ident { $($name:ident: $kind:ident $metric:literal, $help:literal;)* }) => {
		$(#[$doc])*
		pub struct $table {
			$($name: $crate::metrics::$kind,)*
		}

		impl $table {
			/// Registers all of them.
			pub fn register(
				registry: &substrate_prometheus_endpoint::Registry,
			) -> Result<Self, substrate_prometheus_endpoint::PrometheusError> {
				use $crate::metrics::Metric as _;
				Ok(Self { $($name: $crate::metrics::$kind::register($metric, $help, registry)?,)* })
			}
		}
	};
}
pub(crate) use metrics;

#[cfg(test)]
mod tests {
	use super::*;
	use std::{
		collections::{BTreeMap, BTreeSet},
		fs,
		path::Path,
	};
	use substrate_prometheus_endpoint::prometheus::proto::MetricType;

	fn registered() -> BTreeMap<String, MetricType> {
		let registry = Registry::new();
		crate::watch::Metrics::register(&registry).expect("registered");
		crate::miner::Metrics::register(&registry).expect("registered");
		let families = registry.gather();
		families.iter().map(|one| (one.get_name().to_owned(), one.get_field_type())).collect()
	}

	fn file(name: &str) -> String {
		let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/monitoring").join(name);
		fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
	}

	/// The words in a text that are names of metrics.
	fn named(text: &str) -> BTreeSet<String> {
		let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
		let words = text.split(|c| !is_part(c));
		words.filter(|word| word.starts_with("planaria_")).map(Into::into).collect()
	}

	#[test]
	fn a_total_never_falls() {
		let total = Total::register("a_total", "a", &Registry::new()).expect("registered");
		for (told, shown) in [(3, 3), (2, 3), (7, 7)] {
			total.raise(told);
			assert_eq!(total.0.get(), shown);
		}
		assert!(known(None).is_nan());
	}

	#[test]
	fn counters_and_nothing_else_are_called_totals() {
		for (name, kind) in registered() {
			let counts = kind == MetricType::COUNTER;
			assert_eq!(name.ends_with("_total"), counts, "{name} is a {kind:?}");
		}
	}

	#[test]
	fn dashboard_and_alerts_show_what_there_is() {
		let registered: BTreeSet<String> = registered().into_keys().collect();
		for name in ["grafana.json", "alerts.yml"] {
			let unknown: Vec<_> = named(&file(name)).difference(&registered).cloned().collect();
			assert!(unknown.is_empty(), "{name} names what is not registered: {unknown:?}");
		}
		let shown = named(&file("README.md"));
		let missing: Vec<_> = registered.difference(&shown).collect();
		assert!(missing.is_empty(), "README.md does not name {missing:?}");
		let unknown: Vec<_> = shown.difference(&registered).collect();
		assert!(unknown.is_empty(), "README.md names what is not registered: {unknown:?}");
	}

	#[test]
	fn the_dashboard_is_json_whose_panels_ask_something() {
		let dashboard: serde_json::Value =
			serde_json::from_str(&file("grafana.json")).expect("JSON");
		let panels = dashboard["panels"].as_array().expect("panels");
		assert!(!panels.is_empty());
		let shows = |panel: &&serde_json::Value| panel["type"] != "row";
		for panel in panels.iter().filter(shows) {
			let targets = panel["targets"].as_array().expect("targets");
			assert!(!targets.is_empty(), "{}", panel["title"]);
			for target in targets {
				assert!(!named(target["expr"].as_str().unwrap_or("")).is_empty(), "{target}");
			}
		}
	}
}
