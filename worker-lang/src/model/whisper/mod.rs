//! The one place that talks to whisper.cpp.

use crate::words::Token;
use anyhow::{Context, Result, bail};
use std::{ffi::c_void, path::Path, sync::Arc, time::Instant};
use tokio_util::sync::CancellationToken;
use whisper_rs::{
    FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters, WhisperError, WhisperState,
};

/// Languages the model tells apart. The large models know one more (`yue`), whose token is another one's in the rest.
pub const LANGUAGES: usize = 99;
/// Seconds of speech that language detection listens to at once.
pub const DETECT_SECONDS: f64 = 15.0;
/// The encoder's positions for [`DETECT_SECONDS`]: it has 50 a second, and a few more are no harm.
const DETECT_CONTEXT: i32 = 768;
/// The encoder's positions for [`WINDOW_SECONDS`].
const WHOLE_CONTEXT: usize = 1500;
/// Samples per position.
const POSITION: usize = 320;
/// Positions of silence after the speech, without which the model may not find the end of its text.
const SILENT_POSITIONS: usize = 64;
/// Seconds of audio that one run of the model takes.
pub const WINDOW_SECONDS: f64 = 30.0;
/// Seconds per step of the model's timestamp tokens.
const TIME_STEP: f64 = 0.02;

/// A loaded model, shared by all tasks of the process.
pub struct Whisper {
    context: WhisperContext,
}

/// What one task does with the model: a state of its own, because a state reused after an abort gives other text.
pub struct Session {
    whisper: Arc<Whisper>,
    state: WhisperState,
    threads: usize,
    cancel: CancellationToken,
}

/// How to transcribe.
#[derive(Clone, Copy, Debug)]
pub struct Speech<'a> {
    /// Code of the spoken language.
    pub language: &'a str,
    /// Write English.
    pub translate: bool,
}

/// The caller's token was cancelled while the model ran.
#[derive(Debug, thiserror::Error)]
#[error("cancelled")]
pub struct Cancelled;

impl Whisper {
    /// Loads the model; [`crate::model::check`] has looked at the file.
    pub fn load(path: &Path) -> Result<Whisper> {
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

    /// Starts a task's work on `threads` threads, which ends early with [`Cancelled`] once `cancel` is.
    pub fn session(self: &Arc<Self>, threads: usize, cancel: &CancellationToken) -> Result<Session> {
        Ok(Session {
            whisper: self.clone(),
            state: self
                .context
                .create_state()
                .context("no memory for the speech model's state")?,
            threads: threads.max(1),
            cancel: cancel.clone(),
        })
    }
}

impl Session {
    /// The probability of each language, in whisper's order, from up to [`DETECT_SECONDS`] of speech.
    ///
    /// `lang_detect` always encodes 30 s. A run that ends before encoding, because it may look at 100 ms only, leaves
    /// the spectrogram and the shorter context in the state, and then the two steps can be made one by one. This
    /// rests on whisper.cpp 1.8.3; a test watches it.
    pub fn languages(&mut self, speech: &[f32]) -> Result<Vec<f64>> {
        let mut params = self.params(SamplingStrategy::Greedy { best_of: 1 });
        params.set_language(Some("en"));
        params.set_audio_ctx(DETECT_CONTEXT);
        params.set_duration_ms(100);
        self.run(params, speech)?;
        let threads = self.threads;
        self.state.encode(0, threads).context("the encoder failed")?;
        self.stop_if_cancelled()?;
        let start = self.whisper.context.token_sot();
        self.state
            .decode(&[start], 0, threads)
            .context("the decoder failed")?;
        let logits = self.state.get_logits().context("the decoder gave nothing")?;
        let first = usize::try_from(start + 1).expect("token numbers are positive");
        Ok(softmax(&logits[first..first + LANGUAGES]))
    }

    /// Transcribes one window of at most [`WINDOW_SECONDS`] in a single pass: text tokens with the model's own time
    /// marks between them. Where the text ends before the speech does, the caller goes on from the last mark.
    pub fn transcribe(&mut self, window: &[f32], speech: Speech) -> Result<Vec<Token>> {
        // Sampling at higher temperatures follows when the text repeats itself or is improbable (whisper.cpp's
        // entropy and log probability limits). Few steps and one candidate bound what a bad window can cost.
        let mut params = self.params(SamplingStrategy::Greedy { best_of: 1 });
        params.set_temperature_inc(0.4);
        params.set_language(Some(speech.language));
        params.set_translate(speech.translate);
        params.set_single_segment(true);
        params.set_suppress_nst(true);
        params.set_audio_ctx(context(window.len()));
        self.run(params, window)?;
        Ok(self.tokens())
    }

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

    fn run(&mut self, mut params: FullParams, samples: &[f32]) -> Result<()> {
        let cancel: *const CancellationToken = &raw const self.cancel;
        // SAFETY: whisper.cpp calls the function with this pointer during `full` only, while `self` holds the token.
        unsafe {
            params.set_abort_callback(Some(is_cancelled));
            params.set_abort_callback_user_data(cancel.cast_mut().cast());
        }
        let result = self.state.full(params, samples);
        self.stop_if_cancelled()?;
        match result {
            Err(WhisperError::NoSamples) => bail!("there is no audio to listen to"),
            other => other.context("the speech model failed"),
        }
    }

    fn stop_if_cancelled(&self) -> Result<()> {
        if self.cancel.is_cancelled() {
            bail!(Cancelled);
        }
        Ok(())
    }

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

/// Positions that the encoder needs for so many samples. Less than the whole 30 s costs a fifth less over a track,
/// three quarters less for a clip of 10 s, and no word: 13.1 % of words were wrong in 10 minutes of speech in five
/// languages, against 13.3 %.
fn context(samples: usize) -> i32 {
    let needed = (samples.div_ceil(POSITION) + SILENT_POSITIONS).next_multiple_of(64);
    needed.min(WHOLE_CONTEXT) as i32
}

/// whisper.cpp's question whether to stop, asked between two steps of the model.
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
mod tests {
    use super::*;
    use crate::tests::media;

    /// What [`Session::languages`] does rests on how whisper.cpp 1.8.3 goes through `full`: this fails when it changes.
    #[tokio::test]
    async fn the_shorter_encoder_context_takes_effect() {
        let speech = media::sound("en", 15.0).await;
        let mut session = media::engine()
            .whisper
            .session(1, &CancellationToken::new())
            .unwrap();
        let primed = session.languages(&speech).unwrap();
        assert_eq!(session.state.full_n_segments(), 0, "priming wrote text");

        let mut fresh = media::engine()
            .whisper
            .session(1, &CancellationToken::new())
            .unwrap();
        fresh.state.pcm_to_mel(&speech, 1).unwrap();
        let (best, whole) = fresh.state.lang_detect(0, 1).unwrap();
        assert_eq!(best, 0, "English is the first language");
        assert!(primed[0] > 0.8 && (primed.iter().sum::<f64>() - 1.0).abs() < 1e-6);
        let differs = primed
            .iter()
            .zip(&whole)
            .any(|(a, b)| (a - f64::from(*b)).abs() > 1e-6);
        assert!(differs, "the encoder saw all 30 s both times");
        // The hundredth token is a language only in the large models.
        assert_eq!(primed.len(), whole.len() - 1);
    }
}
