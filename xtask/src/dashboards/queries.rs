//! Parts of queries that several dashboards use: scenarios of the chosen hosts, and the highest series with the sum of the others.
//!
//! Every query selects hosts by `instance=~"$instance(:.*)?"`. The values of the variable have no port, because the jobs of a host have
//! different ports, and in Kubernetes an instance is the name of the node.

/// The series with the highest values at each moment, and the sum of the others under the name `other` in the label `name`.
pub(crate) fn highest(series: &str, name: &str) -> String {
    format!(
        r#"topk($top, {series}) or label_replace(sum(({series}) unless topk($top, {series})), "{name}", "other", "", "")"#
    )
}

/// As [`highest`], for figures that have no sum: the mean of the others.
pub(crate) fn highest_and_mean(series: &str, name: &str) -> String {
    and_mean("topk", series, name)
}

/// The series with the lowest values, and the mean of the others.
pub(crate) fn lowest_and_mean(series: &str, name: &str) -> String {
    and_mean("bottomk", series, name)
}

fn and_mean(choice: &str, series: &str, name: &str) -> String {
    format!(
        r#"{choice}($top, {series}) or label_replace(avg(({series}) unless {choice}($top, {series})), "{name}", "other (mean)", "", "")"#
    )
}

/// The scenarios with the highest figures, and on each host the mean of the others. `more` has labels of [`of_scenarios`] that the legend
/// needs for the others, too.
pub(crate) fn highest_scenarios(series: &str, more: &str) -> String {
    scenarios_and_others("topk", "avg", "other (mean)", series, more)
}

/// The scenarios with the lowest figures, and on each host the mean of the others.
pub(crate) fn lowest_scenarios(series: &str, more: &str) -> String {
    scenarios_and_others("bottomk", "avg", "other (mean)", series, more)
}

/// As [`highest_scenarios`], for figures that can be added up: on each host the sum of the others.
pub(crate) fn largest_scenarios(series: &str, more: &str) -> String {
    scenarios_and_others("topk", "sum", "other", series, more)
}

fn scenarios_and_others(choice: &str, aggregate: &str, name: &str, series: &str, more: &str) -> String {
    let labels =
        ["instance", more].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
    format!(
        r#"{choice}($top, {series}) or label_replace({aggregate} by ({labels}) (({series}) unless {choice}($top, {series})), "scenario", "{name}", "", "")"#
    )
}

/// Labels of a class of transcodes.
const CLASS: &str = "namespace, scenario, codec, preset, resolution";

/// Legend of [`of_classes`].
pub(crate) const CLASS_LEGEND: &str = "{{codec}} {{preset}} {{resolution}} {{scenario}} {{namespace}}";

/// Sums by class of transcodes. A class without a known encoder has an empty codec, and needs a name.
pub(crate) fn of_classes(series: &str) -> String {
    format!(r#"label_replace(sum by ({CLASS}) ({series}), "codec", "(no codec)", "codec", "")"#)
}

/// A figure of the scenarios on each host. Two hosts can have a scenario of the same name, and a figure such as VMAF has no sum.
pub(crate) fn of_scenarios(metric: &str, more: &str) -> String {
    let labels = ["instance, scenario", more].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
    format!("avg by ({}) ({metric})", labels.join(", "))
}
