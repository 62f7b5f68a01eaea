use crate::named::named;

named! {
    /// The reason why a stage failed. Users see the code; its name is stable.
    pub enum FailureCode {
        /// The file is not a media file, or its container or codec is not accepted.
        UnsupportedMedia = "unsupported_media",
        /// The media file is damaged: it cannot be decoded to its end.
        DamagedMedia = "damaged_media",
        /// The file has no video stream to scale. Earlier releases gave this code; now the stage is skipped.
        NoVideoStream = "no_video_stream",
        /// The file has more pixels, streams or bytes than the limits allow.
        MediaTooLarge = "media_too_large",
        /// The media is longer than the limits allow.
        MediaTooLong = "media_too_long",
        /// The work exceeded its time limit, or the task waited past its deadline.
        TimedOut = "timed_out",
        /// The source object is not in the store.
        SourceMissing = "source_missing",
        /// The source object differs from the uploaded file: its SHA-256 does not match.
        SourceCorrupt = "source_corrupt",
        /// Every attempt ended with an error that a retry can solve, or some did and the worker died in the others.
        AttemptsExhausted = "attempts_exhausted",
        /// The worker process died during every attempt.
        WorkerDied = "worker_died",
        /// Workers that were stopped handed the task over too often: none had the time to finish it.
        HandoversExhausted = "handovers_exhausted",
        /// The job was cancelled.
        Cancelled = "cancelled",
        /// An internal error of VidP.
        Internal = "internal",
    }
}

named! {
    /// The reason why a stage had nothing to do. This is not an error.
    pub enum SkipCode {
        /// The file has no audio track.
        NoAudio = "no_audio",
        /// The audio track has no speech.
        NoSpeech = "no_speech",
        /// The file has no video to scale: it has sound alone.
        NoVideo = "no_video",
    }
}
