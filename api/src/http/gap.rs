//! A bound for the bytes of a form that belong to no part's content: boundaries, heads of parts, and text before the first
//! boundary.

use crate::http::problem::Problem;
use axum::body::Body;
use futures_util::{StreamExt, stream};
use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

/// Most bytes between the contents of two parts.
const MAX_GAP: usize = 64 << 10;

/// Counts the bytes that a form's parser has read since the last piece of a part's content.
///
/// The parser buffers a gap as a whole, and has no limit for it.
#[derive(Clone, Default)]
pub(crate) struct Gap(Arc<AtomicUsize>);

impl Gap {
    /// The body for the parser. It fails when a gap is too long.
    pub(crate) fn bound(&self, body: Body) -> Body {
        let (mut body, gap, mut has_passed) = (body.into_data_stream(), self.clone(), false);
        Body::from_stream(stream::poll_fn(move |cx| {
            // The parser polls until nothing is ready. After each piece it must look at what it has, before it buffers more.
            if mem::take(&mut has_passed) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if gap.is_too_long() {
                return Poll::Ready(Some(Err(axum::Error::new(
                    "the form has no part where one is due",
                ))));
            }
            let piece = body.poll_next_unpin(cx);
            if let Poll::Ready(Some(Ok(bytes))) = &piece {
                gap.0.fetch_add(bytes.len(), Ordering::Relaxed);
                has_passed = true;
            }
            piece
        }))
    }

    /// Begins a new gap. Call it before each piece of content, and before each head of a part.
    pub(crate) fn begin(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Replaces the parser's error by the reason, when the gap was too long.
    pub(crate) fn explain(&self, problem: Problem) -> Problem {
        match self.is_too_long() {
            true => Problem::invalid(format!(
                "the form has more than {MAX_GAP} bytes without the content of a part"
            )),
            false => problem,
        }
    }

    fn is_too_long(&self) -> bool {
        self.0.load(Ordering::Relaxed) > MAX_GAP
    }
}
