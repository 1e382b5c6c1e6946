//! The program `ffwatt`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ffwatt::main()
}
