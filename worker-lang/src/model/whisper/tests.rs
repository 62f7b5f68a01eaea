use super::*;
use crate::tests::media;

/// [`Session::languages`] depends on the steps of `full` in whisper.cpp 1.8.3. This test fails when they change.
#[tokio::test]
async fn the_shorter_encoder_context_takes_effect() {
    let speech = media::sound("en", 15.0).await;
    let mut session = media::engine()
        .whisper
        .session(1, &CancellationToken::new())
        .unwrap();
    let primed = session.languages(&speech).unwrap();
    assert_eq!(
        session.state.full_n_segments(),
        0,
        "the first run must not produce text"
    );

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
    assert!(differs, "the encoder processed 30 s in both cases");
    // The hundredth token is a language in the large models only.
    assert_eq!(primed.len(), whole.len() - 1);
}
