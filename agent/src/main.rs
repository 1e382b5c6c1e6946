//! The program `ffwatt`: runs the command of the command line.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    ffwatt::main()
}
