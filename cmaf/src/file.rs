//! The boxes at the top of a file.

use crate::{BoxKind, Error, MAX_HEADER};
use std::io::{Read, Seek, SeekFrom};

/// The head of a box at the top of the file.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    pub(crate) kind: BoxKind,
    /// Position of the box in the file.
    pub(crate) offset: u64,
    /// Bytes before the content: 8, or 16 with a size of 64 bits.
    pub(crate) header: u64,
    /// All bytes of the box.
    pub(crate) size: u64,
}

impl Head {
    /// Reads the head at `offset` of a file with `length` bytes; `None` at the end of the file.
    ///
    /// # Errors
    /// The box ends beyond the file, or has no size: it would swallow the fragments that are joined to it.
    pub(crate) fn read(
        file: &mut (impl Read + Seek),
        offset: u64,
        length: u64,
    ) -> Result<Option<Head>, Error> {
        if offset == length {
            return Ok(None);
        }
        let mut kind = BoxKind(*b"????");
        // The file may be shorter than when it was read before.
        let available = length.saturating_sub(offset);
        if available < 8 {
            return Err(Error::Truncated { kind, offset });
        }
        file.seek(SeekFrom::Start(offset))?;
        let mut word = [0; 4];
        file.read_exact(&mut word)?;
        file.read_exact(&mut kind.0)?;
        let (header, size) = match u32::from_be_bytes(word) {
            1 if available < 16 => return Err(Error::Truncated { kind, offset }),
            1 => {
                let mut long = [0; 8];
                file.read_exact(&mut long)?;
                (16, u64::from_be_bytes(long))
            }
            short => (8, u64::from(short)),
        };
        if size < header {
            let problem = "has no valid size";
            return Err(Error::Malformed { kind, problem });
        }
        if size > available {
            return Err(Error::Truncated { kind, offset });
        }
        Ok(Some(Head {
            kind,
            offset,
            header,
            size,
        }))
    }

    /// The position after the box.
    pub(crate) fn end(&self) -> u64 {
        self.offset + self.size
    }

    /// Reads the content into `buffer`.
    ///
    /// # Errors
    /// The content is larger than [`MAX_HEADER`].
    pub(crate) fn content<'a>(
        &self,
        file: &mut (impl Read + Seek),
        buffer: &'a mut Vec<u8>,
    ) -> Result<crate::boxes::Box<'a>, Error> {
        let size = self.size - self.header;
        if size > MAX_HEADER {
            return Err(Error::TooMany {
                what: "bytes in a `moov` or `moof`",
                limit: MAX_HEADER,
            });
        }
        file.seek(SeekFrom::Start(self.offset + self.header))?;
        // MAX_HEADER bounds the size, so that it fits.
        buffer.resize(size as usize, 0);
        file.read_exact(buffer)?;
        Ok(crate::boxes::Box {
            kind: self.kind,
            at: 0,
            content: buffer,
        })
    }
}
