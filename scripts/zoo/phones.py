"""Phones and messengers."""

from zoo.case import Film, Spoken, both, film, speech
from zoo.making import AAC, X264, ff, picture, said, sound, then, unknown_sound

HLG = "-pix_fmt yuv420p10le -color_trc arib-std-b67 -color_primaries bt2020 -colorspace bt2020nc"
HEVC = "-c:v libx265 -preset ultrafast -x265-params log-level=error"
TURN = "-c copy -metadata:s:v rotate={}"
VARIABLE = "-fps_mode passthrough -enc_time_base:v 1/12000 -video_track_timescale 12000"
# N pictures at 120 a second for 2 s, then at 30.
SLOWER = ",settb=1/12000,setpts=if(lt(N\\,240)\\,N*100\\,24000+(N-240)*400)"
# 2 s at 10 pictures a second, then at 60.
FASTER = ",settb=1/12000,setpts=if(lt(N\\,20)\\,N*1200\\,24000+(N-20)*200)"
COVER = "-f lavfi -i testsrc=s=160x90 -frames:v 1 {d}/cover.jpg"

CASES = [
    film(
        "iphone-hlg-turned.mov", "10-bit HLG in HEVC, turned, with a timecode track",
        ff(f"{picture()} {sound()} {HEVC} {HLG} -tag:v hvc1 {AAC} -timecode 00:00:00:00 {{d}}/flat.mov",
           f"-i {{d}}/flat.mov {TURN.format(90)}"),
        Film(144, 256, 100, 4),
    ),
    film(
        "iphone-second-audio-unknown.mp4", "a second audio track in a codec that no decoder here knows",
        then(ff(f"{picture()} {sound()} {sound()} -map 0 -map 1 -map 2 {X264} {AAC}"), unknown_sound(2)),
        Film(256, 144, 100, 4), quick=True,
    ),
    film(
        "phone-upside-down.mp4", "turned by 180 degrees",
        ff(f"{picture()} {sound()} {X264} {AAC} {{d}}/flat.mp4", f"-i {{d}}/flat.mp4 {TURN.format(180)}"),
        Film(256, 144, 100, 4),
    ),
    film(
        "phone-portrait-270.mp4", "turned by 270 degrees",
        ff(f"{picture()} {sound()} {X264} {AAC} {{d}}/flat.mp4", f"-i {{d}}/flat.mp4 {TURN.format(270)}"),
        Film(144, 256, 100, 4),
    ),
    film(
        "phone-tall.mp4", "a screen of 9:20",
        ff(f"{picture('216x480', 30)} {sound()} {X264} {AAC}"), Film(144, 320, 120, 4, rate=30),
    ),
    film(
        "phone-hev1.mp4", "HEVC with its parameter sets in the stream",
        ff(f"{picture()} {sound()} {HEVC} -tag:v hev1 {AAC}"), Film(256, 144, 100, 4),
    ),
    film(
        "android-slower.mp4", "120 pictures a second, then 30",
        ff(f"{picture(rate=120, seconds=3, more=SLOWER)} {sound(6)} {VARIABLE} {X264} {AAC} -t 6"),
        Film(256, 144, 360, 6, rate=30), quick=True,
    ),
    film(
        "android-faster.mp4", "10 pictures a second, then 60",
        ff(f"{picture(rate=25, seconds=5.6, more=FASTER)} {sound(4)} {VARIABLE} {X264} {AAC}"),
        Film(256, 144, 140, 4, rate=10),
    ),
    film(
        "android-faster-remuxed.mkv", "the same, copied into Matroska",
        ff(f"{picture(rate=25, seconds=5.6, more=FASTER)} {sound(4)} {VARIABLE} {X264} {AAC} {{d}}/a.mp4",
           "-i {d}/a.mp4 -c copy"),
        Film(256, 144, 140, 4, rate=10), quick=True,
    ),
    film(
        "slow-motion-240.mp4", "240 pictures a second: every fourth is kept",
        ff(f"{picture('192x108', 240, 2)} {sound(2)} {X264} {AAC}"), Film(192, 108, 120, 2, rate=60, black=False),
    ),
    film(
        "phone-3gp.3gp", "H.263 of 176x144 that is shown as 4:3",
        ff(f"{picture('176x144')} {sound(4, 8000)} -c:v h263 -aspect 4:3 -c:a aac -ar 16000"),
        Film(192, 144, 100, 4),
    ),
    both(
        "phone-no-microphone.mp4", "a film without sound",
        ff(f"{picture()} {X264}"), Film(256, 144, 100, 4, tracks=0, sync=False), "no_audio", quick=True,
    ),
    film(
        "phone-late-microphone.mp4", "the sound begins after 0.8 s (edit list)",
        ff(f"{picture()} -itsoffset 0.8 {sound(3.2)} {X264} {AAC}"), Film(256, 144, 100, 4),
    ),
    film(
        "phone-late-camera.mp4", "the picture begins after 1.5 s (edit list)",
        ff(f"{picture()} {X264} {{d}}/v.mp4", f"-itsoffset 1.5 -i {{d}}/v.mp4 {sound(5.5)} -map 0 -map 1 -c:v copy {AAC}"),
        Film(256, 144, 100, 5.5, start=1.5), quick=True,
    ),
    film(
        "phone-fragmented.mp4", "fragments of half a second",
        ff(f"{picture()} {sound()} {X264} -g 12 {AAC} -movflags empty_moov+default_base_moof+frag_keyframe"),
        Film(256, 144, 100, 4),
    ),
    film(
        "phone-index-first.mp4", "index at the start",
        ff(f"{picture()} {sound()} {X264} {AAC} -movflags +faststart"), Film(256, 144, 100, 4),
    ),
    film(
        "live-photo.mov", "one picture with sound",
        ff(f"{picture(seconds=0.04)} {sound(1.5)} -map 0 -map 1 {X264} {AAC}"),
        Film(256, 144, 1, 1.5, sync=False), quick=True,
    ),
    film(
        "messenger-cover.mp4", "a film with a cover that is marked as one",
        ff(COVER, f"{picture()} {sound()} -i {{d}}/cover.jpg -map 0 -map 1 -map 2 {X264} {AAC} -c:v:1 mjpeg "
           "-disposition:v:1 attached_pic"),
        Film(256, 144, 100, 4),
    ),
    film(
        "drone-still-first.mp4", "a still before the film, and marked as default",
        ff(COVER, f"-f mjpeg -i {{d}}/cover.jpg {picture()} {sound()} -map 0 -map 1 -map 2 -c:v:0 copy "
           f"{X264.replace('c:v', 'c:v:1')} {AAC} -disposition:v:0 default -disposition:v:1 0"),
        Film(256, 144, 100, 4), quick=True,
    ),
    film(
        "drone-still-first.mkv", "the same in Matroska",
        ff(COVER, f"-f mjpeg -i {{d}}/cover.jpg {picture()} {sound()} -map 0 -map 1 -map 2 -c:v:0 copy "
           f"{X264.replace('c:v', 'c:v:1')} {AAC} -disposition:v:0 default -disposition:v:1 0"),
        Film(256, 144, 100, 4),
    ),
    both(
        "voice-message.ogg", "a voice message: Opus alone",
        ff(f"{said(seconds=8)} -c:a libopus -b:a 24k -ac 1"), "no_video", Spoken("en", 10, 8.1), quick=True,
    ),
    both(
        "voice-memo.m4a", "a voice memo: AAC alone",
        ff(f"{said('fr', 8)} {AAC} -ac 1"), "no_video", Spoken("fr", 10, 8.1),
    ),
    speech(
        "phone-quiet.mp4", "a speaker who is 30 dB quieter",
        ff(f"{picture(rate=5, seconds=8)} {said(seconds=8)} -map 0 -map 1 {X264} {AAC} -af volume=-30dB"),
        Spoken("en", 8, 8.1),
    ),
    speech(
        "phone-one-side.mp4", "a microphone on the right side alone",
        ff(f"{picture(rate=5, seconds=8)} {said(seconds=8)} -map 0 -map 1 {X264} {AAC} -af 'pan=stereo|c0=0*c0|c1=c0'"),
        Spoken("en", 10, 8.1),
    ),
]  # fmt: skip
