use crate::{BoxKind, Error};

/// Reads big-endian numbers from the content of a box.
pub(crate) struct Cursor<'a> {
    kind: BoxKind,
    all: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor at the start of `content`. Errors name the box `kind`.
    pub(crate) fn new(kind: BoxKind, content: &'a [u8]) -> Self {
        Cursor {
            kind,
            all: content,
            position: 0,
        }
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// The box has fewer bytes.
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let end = self.position.checked_add(count);
        let bytes = end.and_then(|end| self.all.get(self.position..end));
        let bytes = bytes.ok_or(self.error("is too short for its content"))?;
        self.position += count;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Error> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Error> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Error> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Error> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// The version and the flags at the start of a full box.
    pub(crate) fn version_and_flags(&mut self) -> Result<(u8, u32), Error> {
        let word = self.u32()?;
        Ok(((word >> 24) as u8, word & 0x00ff_ffff))
    }

    /// A four-character code.
    pub(crate) fn kind(&mut self) -> Result<BoxKind, Error> {
        Ok(BoxKind(self.array()?))
    }

    /// Bytes read so far.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// The bytes that are not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.all.get(self.position..).unwrap_or_default()
    }

    /// An error about the box.
    pub(crate) fn error(&self, problem: &'static str) -> Error {
        Error::Malformed {
            kind: self.kind,
            problem,
        }
    }
}
