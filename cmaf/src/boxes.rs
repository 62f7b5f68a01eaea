use crate::{BoxKind, Error, cursor::Cursor};

/// A box in memory.
#[derive(Clone, Copy)]
pub(crate) struct Box<'a> {
    pub(crate) kind: BoxKind,
    /// Position of the content in the outermost slice.
    pub(crate) at: usize,
    pub(crate) content: &'a [u8],
}

impl<'a> Box<'a> {
    /// The boxes inside this one, after `skip` bytes of fields.
    pub(crate) fn children(&self, skip: usize) -> Children<'a> {
        let skip = skip.min(self.content.len());
        Children {
            rest: &self.content[skip..],
            at: self.at + skip,
        }
    }

    /// The only box of this `kind` inside this one; `None` without one.
    ///
    /// # Errors
    /// There are several, or the boxes are damaged.
    pub(crate) fn find(&self, kind: &[u8; 4]) -> Result<Option<Box<'a>>, Error> {
        let mut found = None;
        for child in self.children(0) {
            let child = child?;
            if child.kind == *kind && found.replace(child).is_some() {
                return Err(child.cursor().error("occurs twice"));
            }
        }
        Ok(found)
    }

    /// The only box of this `kind` inside this one.
    ///
    /// # Errors
    /// There is none or several, or the boxes are damaged.
    pub(crate) fn get(&self, kind: &[u8; 4]) -> Result<Box<'a>, Error> {
        self.find(kind)?.ok_or(Error::Missing(BoxKind(*kind)))
    }

    /// A reader of the content.
    pub(crate) fn cursor(&self) -> Cursor<'a> {
        Cursor::new(self.kind, self.content)
    }
}

/// The boxes side by side in a slice. After an error it ends.
pub(crate) struct Children<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Children<'a> {
    fn read(&mut self) -> Result<Box<'a>, Error> {
        // The rest is shorter than a head only in a damaged box.
        let mut cursor = Cursor::new(BoxKind(*b"????"), self.rest);
        let (size, kind) = (cursor.u32()?, cursor.kind()?);
        let size = if size == 1 { cursor.u64()? } else { u64::from(size) };
        let truncated = Error::Truncated {
            kind,
            offset: self.at as u64,
        };
        let size = usize::try_from(size).map_err(|_| truncated)?;
        let content = self.rest.get(cursor.position()..size);
        let content = content.ok_or(Error::Truncated {
            kind,
            offset: self.at as u64,
        })?;
        let found = Box {
            kind,
            at: self.at + cursor.position(),
            content,
        };
        self.rest = &self.rest[size..];
        self.at += size;
        Ok(found)
    }
}

impl<'a> Iterator for Children<'a> {
    type Item = Result<Box<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let found = self.read();
        if found.is_err() {
            self.rest = &[];
        }
        Some(found)
    }
}
