use crate::named::named;

named! {
    /// A processing stage of a video. Each stage has its own worker deployment.
    pub enum Stage {
        /// Detects the spoken language.
        Detect = "detect",
        /// Compresses the video and makes smaller renditions.
        Scale = "scale",
        /// Makes a transcript and captions.
        Subtitle = "subtitle",
    }
}

named! {
    /// The queue that a job's tasks wait in.
    #[derive(Default)]
    pub enum Lane {
        /// Tasks of this lane are served first.
        #[default]
        Interactive = "interactive",
        /// Tasks of this lane are served when the interactive lane is empty; a small share is always reserved for them.
        Batch = "batch",
    }
}
