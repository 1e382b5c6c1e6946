//! Tests that no screen from 20 to 200 columns cuts a number, or takes its unit away.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::command::top::rows::Kind;

/// All texts that a screen may show, word by word: what may follow a number, and which numbers may be last.
#[derive(Default)]
struct Corpus {
    words: BTreeSet<String>,
    followers: BTreeMap<String, BTreeSet<String>>,
    last: BTreeSet<String>,
}

impl Corpus {
    fn add(&mut self, text: &str) {
        let words: Vec<&str> = text.split_whitespace().collect();
        for (place, word) in words.iter().enumerate() {
            self.words.insert((*word).to_owned());
            match words.get(place + 1) {
                Some(next) => {
                    self.followers.entry((*word).to_owned()).or_default().insert((*next).to_owned());
                }
                None => {
                    self.last.insert((*word).to_owned());
                }
            }
        }
    }

    /// The first word of the line that is not whole.
    fn cut_in(&self, line: &str) -> Option<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_cut = |(place, word): (usize, &&str)| {
            if !word.contains(|character: char| character.is_ascii_digit()) {
                return false;
            }
            if let Some(beginning) = word.strip_suffix('…') {
                let is_name =
                    |whole: &String| whole.chars().any(|one| one.is_ascii_alphabetic() && one != 'x');
                return !self.words.iter().any(|whole| whole.starts_with(beginning) && is_name(whole));
            }
            if !self.words.contains(*word) {
                return true;
            }
            // A point in time may be in two lines.
            let is_whole =
                self.last.contains(*word) || !is_figure(word) || word.contains('-') || word.contains(':');
            let follows = |next: &&str| self.followers.get(*word).is_some_and(|all| all.contains(*next));
            !is_whole && !words.get(place + 1).is_some_and(follows)
        };
        words
            .iter()
            .enumerate()
            .find(|(place, word)| is_cut((*place, word)))
            .map(|(_, word)| (*word).to_owned())
    }
}

fn is_figure(word: &str) -> bool {
    word.starts_with(|character: char| character.is_ascii_digit() || character == '<')
        && word.ends_with(|character: char| character.is_ascii_digit())
}

/// An answer with long names, and with small and large figures.
fn wide_answer() -> Answer {
    let mut large =
        transcode("a-long-name-of-a-container-without-end", "h264_videotoolbox", 12_345.6, Some(1234.0));
    large.is_running = true;
    large.asked.preset = Some("veryslow".to_owned());
    large.asked.resolution = Some("7680x4320".to_owned());
    large.asked.bitrate_bits_per_second = Some(123_000_000);
    large.started_unix_seconds = 1_770_113_400.0;
    large.told.frames = Some(987_654_321);
    large.told.speed_ratio = Some(123.45);
    large.told.dropped_frames = Some(765_432);
    large.figures.energy_joules = Some(8.76e12);
    large.figures.vmaf_score = Some(99.87);
    large.figures.cost = Some(7_654_321.98);
    large.figures.carbon_grams = Some(5.43e8);
    let mut small = transcode("配信", "libx264", 0.0123, Some(0.000_451));
    small.figures.cost = Some(0.000_01);
    small.figures.carbon_grams = Some(0.0033);
    let mut failed = transcode("live-c", "libsvtav1", 7.77, None);
    failed.is_running = false;
    failed.asked.exit_code = Some(254);
    failed.asked.ending = Some("failed".to_owned());
    let workload = |name: &str, watts: f64| Workload {
        workload: name.to_owned(),
        id: "4f1c0a7be95d4f1c0a7be95d4f1c0a7be95d4f1c0a7be95d4f1c0a7be95d".to_owned(),
        kind: "systemd".to_owned(),
        is_running: true,
        power_watts: Some(watts),
        energy_joules: Some(watts * 98.7),
        cpu_cores: 63.97,
        memory_bytes: Some(54_321_000_000),
        cost: Some(3456.78),
        carbon_grams: Some(65.4),
        ..Workload::default()
    };
    let part = |part: &str, power_watts| Part { part: part.to_owned(), power_watts };
    let text = "The counter of package 3 gave no value for 119 s in the last 44 min; see `ffwatt check`.";
    Answer {
        tick: 8_888_888,
        time_unix_seconds: 1_770_114_000.0,
        tick_seconds: 1.0,
        host: Host {
            cpus: 256,
            power_watts: Some(13_579.0),
            energy_joules: Some(2.46e9),
            utilisation_ratio: Some(0.314),
            ..Host::default()
        },
        split: vec![
            part("containers", 1122.0),
            part("services", 334.0),
            part("system", 55.6),
            part("idle", 7788.0),
            part("unattributed", 9900.0),
        ],
        notices: vec![Notice {
            text: text.to_owned(),
            since_unix_seconds: Some(1_770_113_000.0),
            ..Notice::default()
        }],
        transcodes: Some(vec![large, small, failed]),
        workloads: Some(vec![
            workload("a-service-with-a-long-name.service", 4321.0),
            workload("nginx", 0.987),
        ]),
        ..answer(1)
    }
}

fn corpus(state: &State) -> Corpus {
    let mut corpus = Corpus::default();
    let answer = state.answer.as_ref().unwrap();
    let mut texts = vec![
        view::headline(state, usize::MAX).to_string(),
        view::parts(answer, usize::MAX)[0].to_string().replace('■', "   "),
        view::told(&answer.notices[0], answer),
        "Encodes: 3".to_owned(),
        "Workloads: 2".to_owned(),
        "LAST 1 s".to_owned(),
        "unknown, never 0".to_owned(),
    ];
    texts.extend((1..99).map(|more| format!("{more} lines more")));
    for kind in [Kind::Transcodes, Kind::Workloads] {
        texts.extend(
            kind.columns()
                .iter()
                .flat_map(|column| ["", "↓"].map(|arrow| format!("{}{arrow}", column.title))),
        );
        let mut state = state.of_kind(kind);
        state.has_detail = true;
        for row in state.rows() {
            texts.extend(row.cells.into_iter().map(|cell| cell.text));
            let facts = detail::lines(state.detail().unwrap(), answer, 10_000);
            texts.extend(facts.into_iter().map(|(_, fact)| fact));
            state.press(KeyEvent::new(KeyCode::Down, KeyModifiers::NONE));
        }
    }
    for text in texts {
        text.split("   ").for_each(|part| corpus.add(part));
    }
    corpus
}

fn titles(screen: &[String]) -> Vec<String> {
    let line = screen.iter().find(|line| line.starts_with("CONTAINER") || line.starts_with("NAME"));
    line.unwrap_or_else(|| panic!("{}", screen.join("\n"))).split_whitespace().map(str::to_owned).collect()
}

#[test]
fn every_shown_number_is_whole_on_every_width() {
    let mut state = State::new("http://host-7.example:9510".to_owned(), String::new());
    state.answered(Ok(wide_answer()));
    let corpus = corpus(&state);
    for (cut, whole) in [("live-c 77.", "live-c 77.7 J"), ("8760 G 1", "8760 GJ 1234"), ("13579", "13579 W")]
    {
        assert!(corpus.cut_in(cut).is_some(), "the test sees {cut}");
        assert_eq!(corpus.cut_in(whole.trim_end_matches(" 1234")), None, "{whole}");
    }
    for kind in [Kind::Transcodes, Kind::Workloads] {
        for (sort, keys) in [("power", ""), ("cost", ""), ("power", "\n"), ("encode", "j\n"), ("co2", "?")] {
            let mut state = state.of_kind(kind);
            state.sort_by(sort).unwrap();
            press(&mut state, keys);
            for width in 20..=200 {
                let screen = screen_of_size(&state, width, 48);
                for line in &screen {
                    let line = line.replace(['─', '■'], " ");
                    assert_eq!(corpus.cut_in(&line), None, "{width} columns\n{}", screen.join("\n"));
                }
            }
        }
    }
}

#[test]
fn a_wider_screen_has_all_columns_of_a_narrower_one() {
    let mut state = State::new("http://host:9510".to_owned(), String::new());
    state.answered(Ok(wide_answer()));
    for kind in [Kind::Transcodes, Kind::Workloads] {
        let state = state.of_kind(kind);
        let mut narrower: Vec<String> = Vec::new();
        for width in 20..=200 {
            let titles = titles(&screen_of(&state, width));
            assert!(titles.contains(&"POWER↓".to_owned()), "{width}: {titles:?}");
            assert!(titles.contains(&"STATE".to_owned()) || width < 32, "{width}: {titles:?}");
            assert!(
                narrower.iter().all(|title| titles.contains(title)),
                "{width}: {titles:?} after {narrower:?}"
            );
            narrower = titles;
        }
        let all = kind.columns().iter().map(|column| column.title);
        let all = all.map(|title| if title == "POWER" { "POWER↓" } else { title });
        assert!(all.into_iter().all(|title| narrower.iter().any(|shown| shown == title)), "{narrower:?}");
    }
}

#[test]
fn bars_and_histories_go_before_figures_and_names_get_an_ellipsis() {
    let mut state = State::new("http://host:9510".to_owned(), String::new());
    state.answered(Ok(wide_answer()));
    let wide = screen_of(&state, 200).join("\n");
    assert!(wide.contains("LAST ") && wide.contains("███████▎"), "{wide}");
    let narrow = screen_of(&state, 80).join("\n");
    assert!(!narrow.contains("LAST ") && !narrow.contains('█'), "{narrow}");
    for words in ["a-long-name-of-a-co…", "h264_videotoolbox …", "12346 W", "1.23 kJ"] {
        assert!(narrow.contains(words), "{words}\n{narrow}");
    }
}
