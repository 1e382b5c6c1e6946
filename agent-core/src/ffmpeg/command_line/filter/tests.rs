//! Tests of filter graphs.
