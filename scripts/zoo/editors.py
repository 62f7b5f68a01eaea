"""Editors, converters and libraries of films."""

from zoo.browsers import steps
from zoo.case import Film, Spoken, both, film
from zoo.making import AAC, X264, ff, picture, renamed, said, sound, then, unknown_sound

CUES = b"1\n00:00:01,000 --> 00:00:02,000\nhello\n\n2\n26:30:00,000 --> 26:30:01,000\nbye\n"
MINUTE = CUES.replace(b"26:30", b"00:01")


def beside(name, content):
    """Writes another file into the folder of a case."""
    return lambda out: (out.parent / name).write_bytes(content)


def rate(name, value, frames, seconds, per_second):
    return film(
        f"rate-{name}.mp4", f"{name} pictures a second",
        ff(f"{picture(rate=value, seconds=2)} {sound(2)} {X264} {AAC}"),
        Film(256, 144, frames, seconds, rate=per_second),
    )  # fmt: skip


CASES = [
    rate("12.5", "12.5", 25, 2, 12.5),
    rate("23.976", "24000/1001", 48, 2.002, 23.976),
    rate("29.97", "30000/1001", 60, 2.002, 29.97),
    rate("50", "50", 100, 2, 50),
    film(
        "stray-cue.mkv", "a subtitle track that ends a day later",
        steps(beside("s.srt", CUES), ff(f"{picture()} {sound()} -i {{d}}/s.srt -map 0 -map 1 -map 2 {X264} {AAC} -c:s srt")),
        Film(256, 144, 100, 4), quick=True,
    ),
    film(
        "late-cue.mkv", "a subtitle track that ends a minute later",
        steps(beside("s.srt", MINUTE), ff(f"{picture()} {sound()} -i {{d}}/s.srt -map 0 -map 1 -map 2 {X264} {AAC} -c:s srt")),
        Film(256, 144, 100, 4),
    ),
    film(
        "text-track.mp4", "a track of text, chapters and a data track",
        steps(
            beside("s.srt", MINUTE),
            beside("chapters.txt", b";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=2\ntitle=One\n[CHAPTER]\nTIMEBASE=1/1\nSTART=2\nEND=4\ntitle=Two\n"),
            ff(f"{picture()} {sound()} -i {{d}}/s.srt -i {{d}}/chapters.txt -map 0 -map 1 -map 2 -map_metadata 3 {X264} {AAC} -c:s mov_text"),
        ),
        Film(256, 144, 100, 4),
    ),
    film(
        "attachments.mkv", "a font and a cover as attachments",
        steps(
            beside("font.ttf", bytes(1000)), ff("-f lavfi -i testsrc=s=160x90 -frames:v 1 {d}/cover.jpg"),
            ff(f"{picture()} {sound()} {X264} {AAC} -attach {{d}}/font.ttf -metadata:s:t:0 mimetype=font/ttf "
               "-attach {d}/cover.jpg -metadata:s:t:1 mimetype=image/jpeg"),
        ),
        Film(256, 144, 100, 4),
    ),
    film(
        "second-track-tta.mkv", "a second audio track in a codec that is not accepted",
        ff(f"{picture()} {sound()} {sound()} -map 0 -map 1 -map 2 {X264} -c:a:0 aac -c:a:1 tta"),
        Film(256, 144, 100, 4), quick=True,
    ),
    film(
        "first-track-tta.mkv", "the first audio track in a codec that is not accepted",
        ff(f"{picture()} {sound()} {sound()} -map 0 -map 1 -map 2 {X264} -c:a:0 tta -c:a:1 aac"), Film(256, 144, 100, 4),
    ),
    both(
        "unknown-picture.mp4", "a picture that no decoder here knows (H.266), with speech",
        then(ff(f"{picture(rate=5, seconds=8)} {said(seconds=8)} -map 0 -map 1 {X264} {AAC}"), renamed(b"avc1", b"vvc1", 2)),
        "unsupported_media", Spoken("en", 10, 8.1), quick=True,
    ),
    film(
        "only-track-unknown.mp4", "a picture with sound that no decoder here knows",
        then(ff(f"{picture()} {sound()} {X264} {AAC}"), unknown_sound(1)), Film(256, 144, 100, 4, tracks=0, sync=False),
    ),
    film(
        "trimmed.mp4", "trimmed without encoding: an edit list hides the start",
        ff(f"{picture(seconds=8)} {sound(8)} {X264} -g 50 {AAC} {{d}}/a.mp4", "-ss 0.52 -i {d}/a.mp4 -t 4 -c copy"),
        Film(256, 144, 100, 4, black=False, sync=False),
    ),
    film(
        "b-frames.mp4", "B-frames over open groups",
        ff(f"{picture()} {sound()} -c:v libx264 -preset fast -bf 3 -x264opts open-gop=1:keyint=20 -pix_fmt yuv420p {AAC}"),
        Film(256, 144, 100, 4),
    ),
    film(
        "surround.mkv", "5.1 in AC-3 and DTS",
        ff(f"{picture()} {sound(channels=6)} {sound(channels=6)} -map 0 -map 1 -map 2 {X264} -c:a:0 ac3 -c:a:1 dca -strict -2"),
        Film(256, 144, 100, 4, tracks=2),
    ),
    film("channels-3.mov", "three channels without a layout", ff(f"{picture()} {sound(channels=3)} {X264} -c:a pcm_s16le"), Film(256, 144, 100, 4)),
    film("channels-10.mov", "ten channels", ff(f"{picture()} {sound(channels=10)} {X264} -c:a pcm_s16le"), Film(256, 144, 100, 4), quick=True),
    film("channels-12.mov", "twelve channels", ff(f"{picture()} {sound(channels=12)} {X264} -c:a pcm_s16le"), Film(256, 144, 100, 4)),
    film("channels-24.mov", "24 channels", ff(f"{picture()} {sound(channels=24)} {X264} -c:a pcm_s16le"), Film(256, 144, 100, 4)),
    film("lossless-sound.mp4", "ALAC", ff(f"{picture()} {sound()} {X264} -c:a alac"), Film(256, 144, 100, 4)),
    film("opus.mp4", "Opus in MP4", ff(f"{picture()} {sound()} {X264} -c:a libopus"), Film(256, 144, 100, 4)),
    film("silent-track.mp4", "a track of silence", ff(f"{picture()} -f lavfi -i anullsrc=r=48000:cl=stereo {X264} {AAC} -t 4"),
         Film(256, 144, 100, 4, sync=False)),
    film("named.bin", "no ending that says what it is", ff(f"{picture()} {sound()} {X264} {AAC} -f mp4"), Film(256, 144, 100, 4)),
    film("junk-behind.mp4", "other bytes behind the end", then(ff(f"{picture()} {sound()} {X264} {AAC}"), lambda d: bytes(d) + bytes(5000)),
         Film(256, 144, 100, 4)),
]  # fmt: skip
