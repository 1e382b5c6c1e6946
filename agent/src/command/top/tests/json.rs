//! Tests of `ffwatt top --json`.

use serde_json::{Value, json};

use super::*;

fn printed(state: &State) -> Value {
    let mut out = Vec::new();
    print::json(state, &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|row| row["workload"].as_str().unwrap()).collect()
}

#[test]
fn rows_have_figures_with_units_and_null_where_a_figure_is_unknown() {
    let all = printed(&state());
    assert_eq!(names(&all["transcodes"]), ["live-b", "live-c\u{1b}[2J", "live-a"]);
    let row = json!({
        "transcode": "live-b-1", "workload": "live-b", "encode": "libx265", "state": "running",
        "power_watts": 3.0, "power_share_ratio": 0.4, "energy_joules": 30.0, "joules_per_frame": 0.013,
        "speed_ratio": 1.0, "frames": null, "vmaf_score": null, "cost": null, "carbon_grams": null
    });
    assert_eq!(all["transcodes"][0], row);
    let row = json!({
        "id": "", "workload": "box-b", "kind": "docker", "state": "running", "power_watts": 2.0,
        "power_share_ratio": 2.0 / 7.5, "energy_joules": null, "cpu_cores": 0.0, "memory_bytes": null,
        "cost": null, "carbon_grams": null
    });
    assert_eq!(all["workloads"][0], row);
    assert_eq!((&all["tick"], &all["currency"]), (&json!(1), &json!("USD")));
    assert_eq!(all["host"]["power_watts"], json!(7.5));
    assert_eq!(all["host"]["energy_joules"], Value::Null);
    assert_eq!(all["notices"][0]["text"], json!("Energy is estimated"));
}

#[test]
fn filter_and_order_hold_for_json_too() {
    let mut state = State::new("http://host:9510".to_owned(), "X26".to_owned());
    state.sort_by("container").unwrap();
    state.answered(Ok(answer(1)));
    let all = printed(&state);
    assert_eq!(names(&all["transcodes"]), ["live-a", "live-b"]);
    assert_eq!(all["workloads"], json!([]));
    let unknown = Answer { host: Host::default(), ..answer(2) };
    state.answered(Ok(unknown));
    assert_eq!(printed(&state)["transcodes"][0]["power_share_ratio"], Value::Null);
}
