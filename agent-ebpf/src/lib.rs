//! Empty library, by which cargo can name this package as a dependency. The programs are in `main.rs`.

#![no_std]
