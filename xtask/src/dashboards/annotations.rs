//! Annotations: firing alerts on every dashboard, and starts and ends of encodes on the dashboards that show encodes.

use serde_json::{Value, json};

use super::panel;

/// Dashboards with encodes over time, by uid.
const WITH_ENCODES: [&str; 3] = ["ffwatt-live", "ffwatt-containers", "ffwatt-kubernetes"];

/// The annotations of a dashboard.
pub(super) fn of(uid: &str) -> Vec<Value> {
    let alerts = annotation(
        ("Alerts", "red"),
        r#"ALERTS{alertstate="firing", instance=~"$instance(:.*)?"}"#,
        ("{{alertname}}", "{{severity}} {{instance}} {{scenario}} {{workload}}"),
    );
    let encodes = [("start", "Starts of encodes", "green"), ("end", "Ends of encodes", "blue")];
    let of_encodes = encodes.into_iter().map(|(point, name, color)| {
        // Grafana takes the value as the time, in milliseconds.
        let query =
            format!(r#"ffwatt_transcode_{point}_timestamp_seconds{{instance=~"$instance(:.*)?"}} * 1000"#);
        let mut annotation =
            annotation((name, color), &query, (name, "{{workload}} {{transcode}} {{instance}}"));
        if let Some(fields) = annotation.as_object_mut() {
            fields.insert("useValueForTime".into(), true.into());
        }
        annotation
    });
    let of_encodes = of_encodes.filter(|_| WITH_ENCODES.contains(&uid));
    std::iter::once(alerts).chain(of_encodes).collect()
}

fn annotation((name, color): (&str, &str), query: &str, (title, text): (&str, &str)) -> Value {
    json!({
        "name": name,
        "datasource": panel::datasource(),
        "enable": true,
        "iconColor": color,
        "target": {"expr": query, "refId": "Anno"},
        "titleFormat": title,
        "textFormat": text,
        "tagKeys": "instance,workload,severity",
    })
}
