"""Speech: its language, and the track and channel that carry it."""

import shlex
import subprocess
import wave

from zoo.case import Spoken, both, speech
from zoo.making import AAC, X264, cut, ff, picture, said, sound, then

SILENCE = "-f lavfi -i anullsrc=r=48000:cl=stereo"
# Opus that takes little time to make.
LONG = "-ac 1 -ar 16000 -c:a libopus -b:a 16k -compression_level 0 -frame_duration 60"
MONO = "aformat=channel_layouts=mono"


def on_channel(count, channel):
    """A speech on one of `count` channels without a layout."""
    rest = "|".join(f"c{n}={'1' if n == channel else '0'}*c0" for n in range(count))
    return f"-af '{MONO},pan={count}c|{rest}'"


def pipe(out):
    """Writes the bytes that `ffmpeg -f wav -` sends into a pipe."""
    out.write_bytes(subprocess.run(command("-f wav -"), stdout=subprocess.PIPE, check=True).stdout)


def command(output):
    """ffmpeg that writes 4 s of speech to its standard output."""
    return [
        "ffmpeg",
        "-v",
        "error",
        "-nostdin",
        *shlex.split(said(seconds=4)),
        "-ac",
        "1",
        "-ar",
        "16000",
        *output.split(),
    ]


def ten_channels(out):
    """Ten channels without a layout, which ffmpeg's filters cannot make."""
    with wave.open(str(out), "wb") as file:
        file.setnchannels(10)
        file.setsampwidth(2)
        file.setframerate(16000)
        mono = subprocess.run(command("-f s16le -"), stdout=subprocess.PIPE, check=True).stdout
        file.writeframes(b"".join(bytes(18) + mono[at : at + 2] for at in range(0, len(mono), 2)))


def zero_sizes(data):
    """Sets the sizes of a WAV and of its samples to 0."""
    data[4:8] = bytes(4)
    at = data.find(b"data")
    data[at + 4 : at + 8] = bytes(4)


CASES = [
    speech("english.flac", "the sample", ff(f"{said(seconds=12)} -c:a flac"), Spoken("en", 20, 12.1), quick=True),
    speech("spanish.mp3", "MP3", ff(f"{said('es', 12)} -c:a libmp3lame"), Spoken("es", 12, 12.1)),
    speech("italian.wma", "Windows Media sound", ff(f"{said('it', 12)} -ar 44100 -c:a wmav2"), Spoken("it", 12, 12.1)),
    speech("russian.aac", "raw AAC", ff(f"{said('ru', 12)} {AAC}"), Spoken("ru", 10, 12.1)),
    speech("second-track.mkv", "the first track is silent (screen recorders)",
           ff(f"{picture(rate=5, seconds=12)} {SILENCE} {said(seconds=12)} -map 0 -map 1 -map 2 -t 12 {X264} {AAC}"),
           Spoken("en", 20, 12.1), quick=True),
    speech("fourth-track.mxf", "speech on the fourth of four tracks",
           ff(f"{picture(seconds=12)} {SILENCE} {said(seconds=12)} -map 0 -map 1 -map 1 -map 1 -map 2 -t 12 -c:v mpeg2video "
              "-c:a pcm_s16le -ar 48000 -ac 1"),
           Spoken("en", 20, 12.1)),
    speech("opposite-phase.flac", "the sides are in opposite phase",
           ff(f"{said(seconds=12)} -af 'pan=stereo|c0=c0|c1=-1*c0' -c:a flac"), Spoken("en", 20, 12.1), quick=True),
    speech("opposite-phase.mp4", "the same in a film",
           ff(f"{picture(rate=5, seconds=12)} {said('fr', 12)} -map 0 -map 1 {X264} -af 'pan=stereo|c0=c0|c1=-1*c0' {AAC}"),
           Spoken("fr", 15, 12.1)),
    speech("microphone-3-of-3.wav", "on the third of three channels",
           ff(f"{said(seconds=8)} -ar 48000 {on_channel(3, 2)} -c:a pcm_s16le"), Spoken("en", 10, 8.1), quick=True),
    speech("microphone-4-of-6.wav", "on the fourth of six channels",
           ff(f"{said(seconds=8)} -ar 48000 {on_channel(6, 3)} -c:a pcm_s16le"), Spoken("en", 10, 8.1)),
    speech("microphone-10-of-10.wav", "on the tenth of ten channels", ten_channels, Spoken("en", 5, 4.1)),
    speech("microphone-16-of-16.mov", "on the last of sixteen channels",
           ff(f"{said(seconds=8)} -ar 48000 {on_channel(16, 15)} -c:a pcm_s16le"), Spoken("en", 10, 8.1)),
    speech("microphone-24-of-24.mov", "on the last of 24 channels",
           ff(f"{said(seconds=8)} -ar 48000 {on_channel(24, 23)} -c:a pcm_s16le"), Spoken("en", 10, 8.1)),
    speech("centre.mkv", "on the centre of 5.1", ff(f"{said(seconds=8)} -ar 48000 -af '{MONO},pan=5.1|FC=c0' -c:a flac"),
           Spoken("en", 10, 8.1)),
    speech("piped.wav", "a WAV from a pipe: its sizes are unknown", pipe, Spoken("en", 5, 4.1), quick=True),
    speech("power-cut.wav", "a WAV whose recorder lost its power: its sizes are 0",
           then(ff(f"{said(seconds=8)} -ac 1 -ar 16000 -c:a pcm_s16le"), zero_sizes), Spoken("en", 10, 8.1)),
    speech("telephone.wav", "mu-law at 8 kHz", ff(f"{said(seconds=12)} -ac 1 -ar 8000 -c:a pcm_mulaw"), Spoken("en", 15, 12.1)),
    speech("telephone.gsm.wav", "GSM in WAV", ff(f"{said(seconds=12)} -ac 1 -ar 8000 -c:a libgsm_ms -f wav"), Spoken("en", 12, 12.1)),
    speech("recorder.w64", "Wave64", ff(f"{said(seconds=8)} -c:a pcm_s16le"), Spoken("en", 10, 8.1)),
    speech("recorder.caf", "Apple's CAF", ff(f"{said(seconds=8)} -c:a pcm_s16le"), Spoken("en", 10, 8.1)),
    speech("recorder.aiff", "AIFF", ff(f"{said(seconds=8)}"), Spoken("en", 10, 8.1)),
    speech("recorder.wv", "WavPack", ff(f"{said(seconds=8)} -c:a wavpack"), Spoken("en", 10, 8.1)),
    speech("recorder.ac3", "raw AC-3", ff(f"{said(seconds=8)} -ar 48000 -c:a ac3"), Spoken("en", 10, 8.1)),
    speech("recorder.spx", "Speex", ff(f"{said(seconds=8)} -ac 1 -ar 16000 -c:a libspeex -f ogg"), Spoken("en", 10, 8.1)),
    both("podcast.mp3", "MP3 with a cover",
         ff("-f lavfi -i testsrc=s=160x90 -frames:v 1 {d}/cover.jpg",
                         f"{said(seconds=8)} -i {{d}}/cover.jpg -map 0 -map 1 -c:a libmp3lame -c:v copy -disposition:v attached_pic"),
         "no_video", Spoken("en", 10, 8.1)),
    speech("no-length.mp3", "MP3 of variable rate without its header",
           ff(f"{said(seconds=8)} -c:a libmp3lame -q:a 4 -write_xing 0 -id3v2_version 0"), Spoken("en", 10, 8.1)),
    speech("cut.mp3", "MP3 that ends in a frame",
           then(ff(f"{said(seconds=12)} -c:a libmp3lame -write_xing 0"), cut(0.7)), Spoken("en", 10, 12.1)),
    speech("early.ogg", "25 s of speech at the start of ten minutes",
           ff(f"{said('fr', 25)} -af apad=whole_dur=600 {LONG}"), Spoken("fr", 30, 25.5), quick=True),
    speech("one-sentence.ogg", "one sentence in half an hour",
           ff(f"{said('fr', 12)} -af adelay=400000,apad=whole_dur=1800 {LONG}"),
           Spoken("fr", 10, 413, begins=404)),
    speech("nine-times.flac", "a sentence that is said nine times",
           ff(f"{said(seconds=2.45)} -ac 1 -ar 16000 {{d}}/one.wav", "-stream_loop 8 -i {d}/one.wav -c:a flac"),
           Spoken("en", 60, 22.2)),
    speech("short-word.flac", "0.6 s of speech", ff(f"{said(seconds=0.6, start=0.3)} -af adelay=1000,apad=pad_dur=1 -c:a flac"),
           Spoken("en", 1, 2.6)),
    speech("silence.wav", "no sound at all", ff(f"{SILENCE} -t 20 -c:a pcm_s16le"), "no_speech"),
    speech("tone.m4a", "a tone", ff(f"{sound(10)} {AAC}"), "no_speech"),
    speech("late-sound.mkv", "the sound begins after 5 s",
           ff(f"{picture(rate=5, seconds=13)} -itsoffset 5 {said(seconds=8)} -map 0 -map 1 {X264} {AAC}"),
           Spoken("en", 8, 13.1, begins=6.5)),
]  # fmt: skip
