#!/bin/sh
# utoipa ignores `#[serde(rename = …)]` when a macro supplies the name as a `literal` fragment; serde obeys it.
#
# Versions: utoipa 6.0.0 (utoipa-gen 6.0.1), serde 1.0.229, serde_json 1.0.154.
# Input: an enum whose variant is renamed by `$name:literal` of a `macro_rules!` macro. That is valid Rust, and serde's
# own derive accepts it.
# Behaviour: JSON has the new name, the OpenAPI schema has the name of the variant, and nothing warns. A client that is
# generated from the document sends "Detect", and the server refuses it. With `$name:tt` both have the new name.
# Output seen:
#     literal: json "detect", schema ["Detect"]
#     tt: json "detect", schema ["detect"]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
cat >"$folder/Cargo.toml" <<'TOML'
[package]
name = "finding"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
serde = { version = "=1.0.229", features = ["derive"] }
serde_json = "=1.0.154"
utoipa = "=6.0.0"
utoipa-gen = "=6.0.1"
TOML
cat >"$folder/src/main.rs" <<'RUST'
use serde::Serialize;
use utoipa::{PartialSchema, ToSchema};

macro_rules! by_literal {
    ($Type:ident, $Value:ident = $name:literal) => {
        #[derive(Serialize, ToSchema)]
        enum $Type {
            #[serde(rename = $name)]
            $Value,
        }
    };
}

macro_rules! by_tt {
    ($Type:ident, $Value:ident = $name:tt) => {
        #[derive(Serialize, ToSchema)]
        enum $Type {
            #[serde(rename = $name)]
            $Value,
        }
    };
}

by_literal!(Literal, Detect = "detect");
by_tt!(Token, Detect = "detect");

fn show<T: Serialize + PartialSchema>(what: &str, value: &T) {
    let schema = serde_json::to_value(T::schema()).unwrap();
    println!("{what}: json {}, schema {}", serde_json::to_string(value).unwrap(), schema["enum"]);
}

fn main() {
    show("literal", &Literal::Detect);
    show("tt", &Token::Detect);
}
RUST
found=$(cd "$folder" && cargo run --quiet 2>"$folder/log") || { cat "$folder/log"; exit 1; }
echo "$found"
expected='literal: json "detect", schema ["Detect"]
tt: json "detect", schema ["detect"]'
[ "$found" = "$expected" ] || { echo "the behaviour has changed"; exit 1; }
