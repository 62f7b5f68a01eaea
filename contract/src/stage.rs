use crate::named::named;

named! {
    /// One of the three things done to a video. Each is a deployment of its own.
    pub enum Stage {
        /// Spoken language.
        Detect = "detect",
        /// Compression and a ladder of smaller renditions.
        Scale = "scale",
        /// Transcript and captions.
        Subtitle = "subtitle",
    }
}

named! {
    /// The queue that a job waits in.
    #[derive(Default)]
    pub enum Lane {
        /// Served first.
        #[default]
        Interactive = "interactive",
        /// Served when the interactive lane is empty, and always granted a share.
        Batch = "batch",
    }
}
