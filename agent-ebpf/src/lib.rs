//! Empty on purpose: it lets cargo name this package as a dependency. The programs are in `main.rs`.

#![no_std]
