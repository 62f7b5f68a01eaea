//! Calls whisper.cpp: language detection and transcription.

use crate::text::{language::LANGUAGES, tokens::Token};
use anyhow::{Context, Result, bail};
use std::{ffi::c_void, path::Path, sync::Arc, time::Instant};
use tokio_util::sync::CancellationToken;
use vidp_contract::whisper_code;
use whisper_rs::{
    FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters, WhisperError, WhisperState,
};

/// Seconds of speech for one language detection.
pub(crate) const DETECT_SECONDS: f64 = 15.0;
/// Encoder positions for [`DETECT_SECONDS`], at 50 positions per second, rounded up.
const DETECT_CONTEXT: i32 = 768;
/// Encoder positions for [`WINDOW_SECONDS`].
const FULL_CONTEXT: usize = 1500;
/// Samples per encoder position.
const POSITION_SAMPLES: usize = 320;
/// Positions of silence after the speech. Without them the model may not find the end of the text.
const SILENT_POSITIONS: usize = 64;
/// Seconds of audio in one run of the model at most.
pub(crate) const WINDOW_SECONDS: f64 = 30.0;
/// Seconds between two timestamp tokens of the model.
const TIME_STEP: f64 = 0.02;

/// The loaded model, which all tasks of the process share.
pub(crate) struct Whisper {
    context: WhisperContext,
}

/// A task's use of the model.
///
/// Each session has its own whisper.cpp state, because a state that is reused after an abort returns different text.
pub(crate) struct Session {
    whisper: Arc<Whisper>,
    state: WhisperState,
    threads: usize,
    cancel: CancellationToken,
}

/// Options of a transcription.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speech<'a> {
    /// Code of the spoken language.
    pub(crate) language: &'a str,
    /// Translate to English.
    pub(crate) translate: bool,
}

/// Error of a run that stopped because its cancellation token was cancelled.
#[derive(Debug, thiserror::Error)]
#[error("cancelled")]
pub(crate) struct Cancelled;

impl Whisper {
    /// Loads the model. The caller has checked the file, because whisper.cpp aborts on some wrong files.
    pub(crate) fn load(path: &Path) -> Result<Whisper> {
        let started = Instant::now();
        let context = WhisperContext::new_with_params(path, WhisperContextParameters::default())
            .with_context(|| {
                format!(
                    "{}: whisper.cpp cannot load this model; is the file complete?",
                    path.display()
                )
            })?;
        tracing::info!(
            model = %path.display(),
            size = context.model_type_readable_str().unwrap_or("unknown"),
            seconds = started.elapsed().as_secs_f64(),
            "speech model loaded"
        );
        Ok(Whisper { context })
    }

    /// Creates a session with `threads` threads. Its runs stop with [`Cancelled`] when `cancel` is cancelled.
    pub(crate) fn session(self: &Arc<Self>, threads: usize, cancel: &CancellationToken) -> Result<Session> {
        Ok(Session {
            whisper: self.clone(),
            state: self
                .context
                .create_state()
                .context("cannot allocate the state of the speech model")?,
            threads: threads.max(1),
            cancel: cancel.clone(),
        })
    }
}

impl Session {
    /// The probability of each language, in whisper.cpp's order, from up to [`DETECT_SECONDS`] of speech.
    ///
    /// whisper.cpp's own `lang_detect` always encodes 30 s. A run of `full` with a duration of 100 ms ends before it
    /// encodes, and leaves the spectrogram and the shorter context in the state. The encoder and the decoder can then
    /// run separately. This depends on whisper.cpp 1.8.3; a test verifies it.
    pub(crate) fn languages(&mut self, speech: &[f32]) -> Result<Vec<f64>> {
        let mut params = self.params(SamplingStrategy::Greedy { best_of: 1 });
        params.set_language(Some("en"));
        params.set_audio_ctx(DETECT_CONTEXT);
        params.set_duration_ms(100);
        self.run(params, speech)?;
        let threads = self.threads;
        self.state.encode(0, threads).context("the encoder failed")?;
        self.stop_if_cancelled()?;
        self.encoded_languages()
    }

    /// The probability of each language in the speech that was encoded last, by [`languages`](Self::languages) or
    /// [`transcribe`](Self::transcribe). It costs one step of the decoder, a hundredth of a transcription.
    pub(crate) fn encoded_languages(&mut self) -> Result<Vec<f64>> {
        let threads = self.threads;
        let start = self.whisper.context.token_sot();
        self.state
            .decode(&[start], 0, threads)
            .context("the decoder failed")?;
        let logits = self
            .state
            .get_logits()
            .context("the decoder returned no logits")?;
        let first = usize::try_from(start + 1).expect("token numbers are positive");
        Ok(softmax(&logits[first..first + LANGUAGES]))
    }

    /// Transcribes a window of at most [`WINDOW_SECONDS`] in a single pass.
    ///
    /// Returns text tokens with the model's timestamps between them. The text may end before the speech does; the
    /// caller then resumes at the last timestamp.
    pub(crate) fn transcribe(&mut self, window: &[f32], speech: Speech) -> Result<Vec<Token>> {
        // whisper.cpp samples again at a higher temperature when the text exceeds its limits of entropy or log
        // probability. Few temperatures and one candidate limit the cost of a bad window.
        let mut params = self.params(SamplingStrategy::Greedy { best_of: 1 });
        params.set_temperature_inc(0.4);
        params.set_language(Some(whisper_code(speech.language)));
        params.set_translate(speech.translate);
        params.set_single_segment(true);
        params.set_suppress_nst(true);
        params.set_audio_ctx(context(window.len()));
        self.run(params, window)?;
        Ok(self.tokens())
    }

    /// Parameters that every run has.
    fn params(&self, strategy: SamplingStrategy) -> FullParams<'static, 'static> {
        let mut params = FullParams::new(strategy);
        params.set_n_threads(i32::try_from(self.threads).unwrap_or(1));
        params.set_no_context(true);
        params.set_print_special(false);
        params.set_print_progress(false);
        params.set_print_realtime(false);
        params.set_print_timestamps(false);
        params
    }

    /// Runs the model on `samples` until it ends or the session is cancelled.
    fn run(&mut self, mut params: FullParams, samples: &[f32]) -> Result<()> {
        let cancel: *const CancellationToken = &raw const self.cancel;
        // SAFETY: whisper.cpp calls the function with this pointer only during `full`, and `self` owns the token.
        unsafe {
            params.set_abort_callback(Some(is_cancelled));
            params.set_abort_callback_user_data(cancel.cast_mut().cast());
        }
        let result = self.state.full(params, samples);
        self.stop_if_cancelled()?;
        match result {
            Err(WhisperError::NoSamples) => bail!("the audio is empty"),
            other => other.context("the speech model failed"),
        }
    }

    fn stop_if_cancelled(&self) -> Result<()> {
        if self.cancel.is_cancelled() {
            bail!(Cancelled);
        }
        Ok(())
    }

    /// Text and timestamps of the last run; other special tokens are left out.
    fn tokens(&self) -> Vec<Token> {
        let context = &self.whisper.context;
        let (end, zero) = (context.token_eot(), context.token_beg());
        let mut tokens = Vec::new();
        for segment in self.state.as_iter() {
            for token in (0..segment.n_tokens()).filter_map(|index| segment.get_token(index)) {
                let data = token.token_data();
                if data.id >= zero {
                    tokens.push(Token::Mark(f64::from(data.id - zero) * TIME_STEP));
                } else if data.id < end {
                    tokens.push(Token::Text {
                        bytes: token.to_bytes().unwrap_or_default().to_vec(),
                        probability: f64::from(data.p),
                        hint: (data.tid >= zero && data.pt > 0.01 && data.ptsum > 0.01)
                            .then(|| f64::from(data.tid - zero) * TIME_STEP),
                    });
                }
            }
        }
        tokens
    }
}

/// Encoder positions for a number of samples.
///
/// A context shorter than 30 s saves a fifth of the time of a track, and three quarters for a clip of 10 s. It does
/// not cost accuracy: the word error rate over 10 minutes of speech in five languages was 13.1 %, against 13.3 % with
/// the full context.
fn context(samples: usize) -> i32 {
    let needed = (samples.div_ceil(POSITION_SAMPLES) + SILENT_POSITIONS).next_multiple_of(64);
    needed.min(FULL_CONTEXT) as i32
}

/// Abort callback: whisper.cpp calls it between steps of the model, and stops when it returns true.
unsafe extern "C" fn is_cancelled(token: *mut c_void) -> bool {
    // SAFETY: `Session::run` passes a pointer to a token that outlives the run.
    unsafe { &*token.cast::<CancellationToken>() }.is_cancelled()
}

fn softmax(logits: &[f32]) -> Vec<f64> {
    let highest = logits.iter().copied().fold(f32::MIN, f32::max);
    let powers: Vec<f64> = logits
        .iter()
        .map(|&logit| f64::from(logit - highest).exp())
        .collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

#[cfg(test)]
mod tests;
