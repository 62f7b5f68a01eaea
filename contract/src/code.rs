use crate::named::named;

named! {
    /// Why a stage failed. Shown to users; the names are stable.
    pub enum FailureCode {
        /// Not a media file, or a container or codec that is not accepted.
        UnsupportedMedia = "unsupported_media",
        /// A media file that cannot be decoded, or not to its end.
        DamagedMedia = "damaged_media",
        /// There is no picture to scale.
        NoVideoStream = "no_video_stream",
        /// More pixels, streams or bytes than the limits allow.
        MediaTooLarge = "media_too_large",
        /// Longer than the limits allow.
        MediaTooLong = "media_too_long",
        /// The work took longer than its limit, or waited past its deadline.
        TimedOut = "timed_out",
        /// The source object is not in the store.
        SourceMissing = "source_missing",
        /// The source object is not the one that was uploaded: its SHA-256 differs.
        SourceCorrupt = "source_corrupt",
        /// Every attempt ended with an error that might have passed.
        AttemptsExhausted = "attempts_exhausted",
        /// Every attempt took its worker down with it.
        WorkerDied = "worker_died",
        /// Somebody cancelled the job.
        Cancelled = "cancelled",
        /// A fault of VidP's own.
        Internal = "internal",
    }
}

named! {
    /// Why a stage had nothing to do. Not an error.
    pub enum SkipCode {
        /// The file has no audio track.
        NoAudio = "no_audio",
        /// The audio track has no speech.
        NoSpeech = "no_speech",
    }
}
