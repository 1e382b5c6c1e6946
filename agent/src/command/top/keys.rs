//! Table of the keys: what each key does, for the state, for the help screen and for the last line of the screen.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Effect of a key on the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Help,
    Quit,
    OtherTable,
    Detail,
    NextColumn,
    PreviousColumn,
    Reverse,
    Filter,
    Pause,
    Back,
    Down,
    Up,
    PageDown,
    PageUp,
    First,
    Last,
}

/// Effect of a key while a filter is typed. All other characters belong to the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TypingEffect {
    Keep,
    Clear,
    Erase,
}

/// A key, alone or with Ctrl.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Press {
    Alone(KeyCode),
    Control(char),
}

impl Press {
    pub(super) fn is(self, key: KeyEvent) -> bool {
        match self {
            Self::Alone(code) => key.code == code,
            Self::Control(character) => {
                key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char(character)
            }
        }
    }

    fn name(self) -> String {
        match self {
            Self::Control(character) => format!("Ctrl-{}", character.to_ascii_uppercase()),
            Self::Alone(KeyCode::Char(' ')) => "Space".to_owned(),
            Self::Alone(KeyCode::Char(character)) => character.to_string(),
            Self::Alone(KeyCode::Up) => "↑".to_owned(),
            Self::Alone(KeyCode::Down) => "↓".to_owned(),
            Self::Alone(KeyCode::Left) => "←".to_owned(),
            Self::Alone(KeyCode::Right) => "→".to_owned(),
            Self::Alone(KeyCode::PageUp) => "PgUp".to_owned(),
            Self::Alone(KeyCode::PageDown) => "PgDn".to_owned(),
            Self::Alone(code) => format!("{code:?}"),
        }
    }
}

/// A row of the table of keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Binding<E: 'static> {
    pub(super) keys: &'static [Press],
    pub(super) effect: E,
    pub(super) help: &'static str,
    /// Word for the last line of the screen; empty for keys that only the help screen has.
    pub(super) word: &'static str,
}

impl<E> Binding<E> {
    /// The names of the keys, as the help screen shows them.
    pub(super) fn names(&self) -> String {
        self.keys.iter().map(|key| key.name()).collect::<Vec<_>>().join(" ")
    }

    /// The first key and the word, for the last line of the screen.
    pub(super) fn brief(&self) -> Option<String> {
        let first = self.keys.first().filter(|_| !self.word.is_empty())?;
        Some(format!("{} {}", first.name(), self.word))
    }
}

const fn binding<E: Copy>(
    keys: &'static [Press],
    effect: E,
    word: &'static str,
    help: &'static str,
) -> Binding<E> {
    Binding { keys, effect, help, word }
}

const fn char(character: char) -> Press {
    Press::Alone(KeyCode::Char(character))
}

const fn key(code: KeyCode) -> Press {
    Press::Alone(code)
}

/// Keys of the tables. The words of the last line are in this order; the last ones are left out on a narrow screen.
pub(super) const BINDINGS: [Binding<Effect>; 16] = [
    binding(&[char('?'), char('h')], Effect::Help, "help", "this help"),
    binding(&[char('q'), Press::Control('c')], Effect::Quit, "quit", "quit"),
    binding(&[key(KeyCode::Tab)], Effect::OtherTable, "table", "encodes or workloads"),
    binding(&[key(KeyCode::Enter)], Effect::Detail, "detail", "detail of the row, or none"),
    binding(&[char('s'), key(KeyCode::Right)], Effect::NextColumn, "sort", "sort by the next column"),
    binding(&[char('/')], Effect::Filter, "filter", "type a filter"),
    binding(&[char('p'), char(' ')], Effect::Pause, "pause", "pause, or go on"),
    binding(&[char('r')], Effect::Reverse, "reverse", "reverse the order"),
    binding(&[char('S'), key(KeyCode::Left)], Effect::PreviousColumn, "", "sort by the column before"),
    binding(&[key(KeyCode::Down), char('j')], Effect::Down, "", "next row"),
    binding(&[key(KeyCode::Up), char('k')], Effect::Up, "", "row before"),
    binding(&[key(KeyCode::PageDown)], Effect::PageDown, "", "ten rows down"),
    binding(&[key(KeyCode::PageUp)], Effect::PageUp, "", "ten rows up"),
    binding(&[key(KeyCode::Home)], Effect::First, "", "first row"),
    binding(&[key(KeyCode::End)], Effect::Last, "", "last row"),
    binding(&[key(KeyCode::Esc)], Effect::Back, "", "no detail, no filter, quit"),
];

/// Keys while a filter is typed.
pub(super) const TYPING: [Binding<TypingEffect>; 3] = [
    binding(&[key(KeyCode::Enter)], TypingEffect::Keep, "", "keep the filter"),
    binding(&[key(KeyCode::Esc)], TypingEffect::Clear, "", "no filter"),
    binding(&[key(KeyCode::Backspace)], TypingEffect::Erase, "", "erase a character"),
];

/// The effect of a key by a table.
pub(super) fn effect<E: Copy>(bindings: &[Binding<E>], key: KeyEvent) -> Option<E> {
    let is_bound = |binding: &&Binding<E>| binding.keys.iter().any(|press| press.is(key));
    bindings.iter().find(is_bound).map(|binding| binding.effect)
}

/// Whether the key ends the program in every state, so that a text that is typed cannot take it.
pub(super) fn always_quits(key: KeyEvent) -> bool {
    let quits = |press: &Press| matches!(press, Press::Control(_)) && press.is(key);
    BINDINGS.iter().any(|binding| binding.effect == Effect::Quit && binding.keys.iter().any(quits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(press: Press) -> KeyEvent {
        match press {
            Press::Alone(code) => KeyEvent::new(code, KeyModifiers::NONE),
            Press::Control(character) => KeyEvent::new(KeyCode::Char(character), KeyModifiers::CONTROL),
        }
    }

    #[test]
    fn no_key_has_two_effects() {
        for binding in &BINDINGS {
            for press in binding.keys {
                assert_eq!(effect(&BINDINGS, event(*press)), Some(binding.effect), "{press:?}");
            }
        }
        for binding in &TYPING {
            assert_eq!(effect(&TYPING, event(binding.keys[0])), Some(binding.effect));
        }
        assert_eq!(effect(&BINDINGS, event(char('c'))), None, "without Ctrl");
    }

    #[test]
    fn keys_have_the_names_that_keyboards_show() {
        let names: Vec<String> = BINDINGS.iter().map(Binding::names).collect();
        let expected = [
            "? h", "q Ctrl-C", "Tab", "Enter", "s →", "/", "p Space", "r", "S ←", "↓ j", "↑ k", "PgDn",
            "PgUp", "Home", "End", "Esc",
        ];
        assert_eq!(names, expected);
        assert_eq!(BINDINGS[0].brief().unwrap(), "? help");
    }
}
