//! The program `ffwatt`: runs the command of the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    ffwatt::main()
}
