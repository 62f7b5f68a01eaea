"""Broadcast recordings: MPEG-TS with what happens on its way."""

from zoo.case import Case, Film, Spoken, both, film, speech
from zoo.closed import with_captions
from zoo.making import AAC, X264, cut, ff, joined, packets, picture, said, sound, then

AC3 = "-c:a ac3 -b:a 192k"
# Parts whose sound differs, joined as bytes.
STEREO = ff(f"{said(seconds=12)} -ac 2 -ar 48000 {AC3}")
SURROUND = ff(f"{said(seconds=12, start=12)} -ar 48000 -af 'pan=5.1|c2=c0' -c:a ac3 -b:a 384k")
SLOW = ff(f"{said(seconds=8)} -ac 2 -ar 48000 -c:a mp2")
FAST = ff(f"{said(seconds=8, start=8)} -ac 2 -ar 44100 -c:a mp2")
TONE = ff(f"{sound(2)} -ac 2 {AC3}")
TONE_SURROUND = ff(f"{sound(2)} -ac 6 -c:a ac3 -b:a 384k")
SHORT_GOP = "-c:v libx264 -preset ultrafast -g 25 -pix_fmt yuv420p"


def with_picture(parts, seconds, suffix, rate=10):
    """The parts as the sound of a film."""

    def make(out):
        joined(*parts)(out.with_name(f"sound{suffix}"))
        ff(f"{picture(rate=rate, seconds=seconds)} -i {{d}}/sound{suffix} -map 0 -map 1 {X264} -c:a copy -t {seconds}")(
            out
        )

    return make


def without_keys(data):
    """Removes the packets of the picture in which a key frame begins, and those behind it up to the next picture."""
    kept, key = [], False
    for at in range(0, len(data) - 187, 188):
        packet = data[at : at + 188]
        if (packet[1] & 0x1F) << 8 | packet[2] == 0x100:
            if packet[1] & 0x40:
                key = bool(packet[3] & 0x20 and packet[4] and packet[5] & 0x40)
            if key:
                continue
        kept.append(bytes(packet))
    return b"".join(kept)


def captioned(out):
    """A film with closed captions."""
    plain = out.with_name("plain.h264")
    ff(f"{picture()} {X264} -bf 0")(plain)
    plain.write_bytes(with_captions(plain.read_bytes()))
    ff(f"-r 25 -i {{d}}/plain.h264 {sound()} -map 0 -map 1 -c:v copy {AC3}")(out)


CASES = [
    film(
        "closed-captions.ts", "closed captions inside the picture",
        captioned, Film(256, 144, 100, 4, captions="kept"), quick=True,
    ),
    Case(
        "closed-captions-lost.ts", "the same, for a codec whose encoder writes no captions",
        captioned, {"stages": ["scale"], "scale": {"renditions": ["144p"], "codec": "h265"}},
        Film(256, 144, 100, 4, captions="dropped"), quick=True,
    ),
    both(
        "stereo-then-surround.ts", "the sound goes on in 5.1 after 12 s",
        with_picture([STEREO, SURROUND], 24, ".ac3"),
        Film(256, 144, 240, 24, rate=10, sync=False), Spoken("en", 40, 24.1),
    ),
    film(
        "stereo-then-surround-short.ts", "the same for 4 s",
        with_picture([TONE, TONE_SURROUND], 4, ".ac3"), Film(256, 144, 40, 4, rate=10), quick=True,
    ),
    film(
        "surround-then-stereo.ts", "5.1, then stereo",
        with_picture([TONE_SURROUND, TONE], 4, ".ac3"), Film(256, 144, 40, 4, rate=10),
    ),
    both(
        "rate-changes.ts", "the sample rate changes from 48 to 44.1 kHz",
        with_picture([SLOW, FAST], 16, ".mp2"), Film(256, 144, 160, 16, rate=10, sync=False), Spoken("en", 25, 16.1),
        quick=True,
    ),
    both(
        "lost-packet.ts", "one packet of 188 bytes was lost",
        then(ff(f"{picture(rate=10, seconds=12)} {said(seconds=12)} -map 0 -map 1 {SHORT_GOP} -c:a mp2"), packets(0, [0.5])),
        Film(256, 144, None, None, rate=10, sync=False), Spoken("en", 15, 12.1), quick=True,
    ),
    both(
        "lost-packets.ts", "six packets were lost",
        then(ff(f"{picture(rate=10, seconds=12)} {said(seconds=12)} -map 0 -map 1 {SHORT_GOP} {AC3}"),
             packets(0, [0.2, 0.3, 0.5, 0.6, 0.7, 0.9])),
        Film(256, 144, None, None, rate=10, sync=False), Spoken("en", 12, 12.1),
    ),
    both(
        "starts-anywhere.ts", "begins and ends in the middle of pictures and samples",
        then(then(ff(f"{picture(rate=10, seconds=12)} {said(seconds=12)} -map 0 -map 1 {SHORT_GOP} {AC3}"), packets(0.3)), cut(0.9)),
        Film(256, 144, None, None, rate=10, black=False, sync=False), Spoken("en", 8, 12.1),
    ),
    both(
        "no-key-frame.ts", "the picture has no key frame, and the sound is whole",
        then(ff(f"{picture(seconds=8)} {said(seconds=8)} -map 0 -map 1 {X264} -g 1000 {AAC}"), without_keys),
        "damaged_media", Spoken("en", 10, 8.1), quick=True,
    ),
    film(
        "joined.ts", "two recordings, joined as bytes: the clock jumps back",
        joined(ff(f"{picture(seconds=2)} {sound(2)} {X264} {AAC}"), ff(f"{picture(seconds=2)} {sound(2)} {X264} {AAC}")),
        Film(256, 144, 100, None, sync=False),
    ),
    film(
        "clock-wraps.ts", "the clock of 33 bits starts again at 0",
        ff(f"{picture()} {sound()} {X264} {AAC} -output_ts_offset 95441.5"), Film(256, 144, 100, 4), quick=True,
    ),
    film(
        "clock-at-a-day.ts", "the clock begins at a day",
        ff(f"{picture()} {sound()} {X264} {AAC} -output_ts_offset 86400"), Film(256, 144, 100, 4),
    ),
    film(
        "two-languages.ts", "two audio tracks",
        ff(f"{picture()} {sound()} {sound()} -map 0 -map 1 -map 2 {X264} -c:a mp2 -metadata:s:a:0 language=deu -metadata:s:a:1 language=fra"),
        Film(256, 144, 100, 4, tracks=2),
    ),
    film(
        "mpeg2.ts", "MPEG-2 with MP2",
        ff(f"{picture('352x288')} {sound()} -c:v mpeg2video -q:v 4 -aspect 16:9 -c:a mp2"), Film(256, 144, 100, 4),
    ),
    film(
        "hevc.ts", "HEVC with AC-3",
        ff(f"{picture()} {sound()} -c:v libx265 -preset ultrafast -x265-params log-level=error {AC3}"), Film(256, 144, 100, 4),
    ),
    film(
        "blu-ray.m2ts", "packets of 192 bytes",
        ff(f"{picture()} {sound()} {X264} {AC3} -mpegts_m2ts_mode 1 -f mpegts"), Film(256, 144, 100, 4),
    ),
    film(
        "program-stream.mpg", "H.264 in a program stream",
        ff(f"{picture()} {sound()} {X264} -c:a mp2 -f vob"), Film(256, 144, 100, 4),
    ),
    speech(
        "latm.ts", "AAC in LATM",
        ff(f"{said(seconds=8)} {AAC} -mpegts_flags latm"), Spoken("en", 10, 8.1),
    ),
]  # fmt: skip
