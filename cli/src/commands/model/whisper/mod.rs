//! Converts Whisper from CTranslate2's format to whisper.cpp's.

mod convert;
mod size;
mod tensors;
mod vocabulary;

pub(super) use convert::convert;
