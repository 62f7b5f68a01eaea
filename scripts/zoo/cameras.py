"""Cameras, camcorders, screen recorders and old formats."""

from zoo.case import Film, both, film
from zoo.making import AAC, X264, cut, ff, movie_seconds, packets, picture, sound, then

# A white bar that moves by 12 pixels in each field, without the marks of the other films.
BAR = (
    '-f lavfi -i "color=black:s={size}:r={fields}:d=1,format=yuv420p,'
    "geq=lum='if(between(mod(X-N*12\\,{width})\\,0\\,60)\\,235\\,16)':cb=128:cr=128,"
    'tinterlace={order},setsar={aspect}"'
)
NTSC = BAR.format(size="720x480", fields="60000/1001", width=720, order="interleave_bottom", aspect="10/11")
PAL = BAR.format(size="720x576", fields="50", width=720, order="interleave_bottom", aspect="16/15")
HD = BAR.format(size="640x360", fields="50", width=640, order="interleave_top", aspect="1")
STILL = {"black": False, "sync": False, "tracks": 0}
NTSC_FILM = Film(196, 144, None, 1, rate=30, comb=1, **STILL)
PAL_FILM = Film(192, 144, 25, 1, comb=1, **STILL)
HD_FILM = Film(256, 144, 25, 1, comb=1, **STILL)
KEYS = "-c:v libx264 -preset ultrafast -g 250 -sc_threshold 0"

CASES = [
    film("dv-ntsc.avi", "DV, interlaced", ff(f"{NTSC} -c:v dvvideo -pix_fmt yuv411p"), NTSC_FILM, quick=True),
    film("dv-ntsc.dv", "raw DV: its pixels are 8:9", ff(f"{NTSC} -c:v dvvideo -pix_fmt yuv411p"), Film(192, 144, None, 1, rate=30, comb=1, **STILL)),
    film("dv-ntsc.mov", "DV in QuickTime", ff(f"{NTSC} -c:v dvvideo -pix_fmt yuv411p"), NTSC_FILM),
    film("dv-pal.avi", "DV of 50 fields a second", ff(f"{PAL} -c:v dvvideo -pix_fmt yuv420p"), PAL_FILM),
    film("mpeg4-interlaced.avi", "MPEG-4 that does not say it is interlaced",
         ff(f"{HD} -c:v mpeg4 -q:v 2 -flags +ilme+ildct"), HD_FILM, quick=True),
    film("avchd.mts", "H.264 of two fields with AC-3",
         ff(f"{HD} -c:v libx264 -preset ultrafast -flags +ilme+ildct -x264opts tff=1"), HD_FILM),
    film("interlaced.mkv", "H.264 of two fields in Matroska",
         ff(f"{HD} -c:v libx264 -preset ultrafast -flags +ilme+ildct -x264opts tff=1"), HD_FILM),
    film("mpeg2-interlaced.mxf", "MPEG-2 of two fields with PCM",
         ff(f"{HD} -c:v mpeg2video -q:v 2 -flags +ilme+ildct"), HD_FILM),
    film("prores-interlaced.mov", "ProRes of two fields",
         ff(f"{HD} -c:v prores_ks -flags +ilme -top 1"), HD_FILM),
    film("mjpeg.avi", "Motion JPEG of full range with 8-bit sound",
         ff(f"{picture(rate=15)} {sound(4, 11025)} -c:v mjpeg -q:v 5 -pix_fmt yuvj422p -c:a pcm_u8"),
         Film(256, 144, 60, 4, rate=15)),
    film("action-camera.mp4", "59.94 pictures a second with timecode",
         ff(f"{picture(rate='60000/1001', seconds=3)} {sound(3)} {X264} {AAC} -timecode 00:00:00:00 -f mov"),
         Film(256, 144, 180, 3.003, rate=59.94)),
    film("dashcam.ts", "a ring buffer: begins between two key frames",
         then(ff(f"{picture(seconds=12)} {sound(12)} {KEYS} {AAC}"), packets(0.4)),
         Film(256, 144, None, None, black=False, sync=False), quick=True),
    film("dashcam.mkv", "the same, copied into Matroska",
         lambda out: (then(ff(f"{picture(seconds=12)} {sound(12)} {KEYS} {AAC} -f mpegts"), packets(0.4))(out.with_name("g.ts")),
                      ff("-err_detect ignore_err -i {d}/g.ts -c copy -copyinkf")(out)),
         Film(256, 144, None, None, black=False, sync=False), quick=True),
    film("dashcam.mp4", "the same, copied into MP4",
         lambda out: (then(ff(f"{picture(seconds=12)} {sound(12)} {KEYS} {AAC} -f mpegts"), packets(0.4))(out.with_name("g.ts")),
                      ff("-err_detect ignore_err -i {d}/g.ts -c copy -copyinkf")(out)),
         Film(256, 144, None, None, black=False, sync=False)),
    film("security-26-hours.mp4", "the header says 26 hours",
         then(ff(f"{picture()} {sound()} {X264} {AAC}"), movie_seconds(95443)), Film(256, 144, 100, 4), quick=True),
    film("security-2-hours.mp4", "the header says two hours",
         then(ff(f"{picture()} {sound()} {X264} {AAC}"), movie_seconds(7200)), Film(256, 144, 100, 4)),
    film("security-0.mp4", "the header says nothing",
         then(ff(f"{picture()} {sound()} {X264} {AAC}"), movie_seconds(0)), Film(256, 144, 100, 4)),
    film("security-1.mp4", "the header says one second",
         then(ff(f"{picture()} {sound()} {X264} {AAC}"), movie_seconds(1)), Film(256, 144, 100, 4)),
    film("camera.flv", "Flash video", ff(f"{picture()} {sound(4, 44100)} -c:v flv -b:v 500k {AAC}"), Film(256, 144, 100, 4)),
    film("camera-no-duration.flv", "Flash video from a pipe",
         ff(f"{picture()} {sound(4, 44100)} {X264} {AAC} -flvflags no_duration_filesize"), Film(256, 144, 100, 4)),
    film("screen.mkv", "a screen recorder that crashed: no index",
         then(ff(f"{picture(seconds=8)} {sound(8)} {X264} {AAC} -live 1 -cluster_time_limit 500"), cut(0.7)),
         Film(256, 144, None, None)),
    film("editor.mov", "ProRes 4:2:2 10-bit with four channels",
         ff(f"{picture()} {sound(channels=4)} -c:v prores_ks -pix_fmt yuv422p10le -c:a pcm_s24le"), Film(256, 144, 100, 4)),
    film("editor.mxf", "DNxHD", ff(f"{picture('1920x1080', seconds=0.4)} {sound(0.4)} -c:v dnxhd -b:v 120M -pix_fmt yuv422p -c:a pcm_s16le"),
         Film(256, 144, 10, 0.4, sync=False)),
    film("camera-16-tracks.mxf", "sixteen tracks of one channel beside the picture",
         ff(f"{picture(seconds=2)} {sound(2)} -map 0 {'-map 1 ' * 16} -c:v mpeg2video -q:v 4 -c:a pcm_s16le"),
         Film(256, 144, 50, 2, tracks=None), quick=True),
    film("lossless.mkv", "FFV1 with FLAC", ff(f"{picture(seconds=2)} {sound(2)} -c:v ffv1 -c:a flac"), Film(256, 144, 50, 2)),
    film("huffyuv.avi", "HuffYUV with PCM", ff(f"{picture(seconds=2)} {sound(2)} -c:v huffyuv -pix_fmt yuv422p -c:a pcm_s16le"),
         Film(256, 144, 50, 2)),
    film("utvideo.avi", "Ut Video", ff(f"{picture(seconds=2)} {sound(2)} -c:v utvideo -c:a pcm_s16le"), Film(256, 144, 50, 2)),
    film("animation.mov", "QuickTime Animation with an alpha channel",
         ff(f"{picture(seconds=2)} {sound(2)} -c:v qtrle -pix_fmt argb -c:a pcm_s16be"), Film(256, 144, 50, 2)),
    film("png.mov", "PNG pictures with an alpha channel", ff(f"{picture(seconds=1)} -c:v png -pix_fmt rgba"),
         Film(256, 144, 25, 1, tracks=0, sync=False)),
    film("windows.wmv", "Windows Media", ff(f"{picture()} {sound(4, 44100)} -c:v wmv2 -b:v 1M -c:a wmav2"), Film(256, 144, 100, 4.09, start=0.046)),
    film("divx3.avi", "MS-MPEG-4 with MP3", ff(f"{picture()} {sound(4, 44100)} -c:v msmpeg4 -b:v 1M -c:a libmp3lame"),
         Film(256, 144, 100, 4)),
    film("xvid.avi", "MPEG-4 with B-frames and MP3",
         ff(f"{picture()} {sound(4, 44100)} -c:v mpeg4 -bf 2 -q:v 4 -c:a libmp3lame"), Film(256, 144, 100, 4.05, sync=False)),
    film("video-cd.mpg", "MPEG-1 of 352x288 shown as 4:3",
         ff(f"{picture('352x288')} {sound(4, 44100)} -target pal-vcd -aspect 4:3"), Film(192, 144, 100, 4), quick=True),
    film("dvd.vob", "MPEG-2, anamorphic 16:9, with AC-3",
         ff(f"{picture('720x576', seconds=2)} {sound(2)} -target pal-dvd -aspect 16:9"), Film(256, 144, 50, 2)),
    film("real.rm", "RealVideo with AC-3", ff(f"{picture()} {sound(4, 44100)} -c:v rv20 -b:v 1M -c:a ac3"),
         Film(256, 144, 100, 4, sync=False)),
    film("free.ogv", "Theora and Vorbis", ff(f"{picture()} {sound()} -c:v libtheora -q:v 6 -c:a libvorbis"), Film(256, 144, None, 4)),
    film("sorenson.mov", "Sorenson video with IMA ADPCM",
         ff(f"{picture()} {sound(4, 22050, 2)} -c:v svq1 -c:a adpcm_ima_qt"), Film(256, 144, 100, 4)),
    film("cinepak.mov", "Cinepak", ff(f"{picture(seconds=1)} {sound(1, 22050)} -c:v cinepak -c:a pcm_u8"),
         Film(256, 144, 25, 1, sync=False)),
    film("hdr10.mkv", "10-bit PQ",
         ff(f"{picture()} {sound()} -c:v libx265 -preset ultrafast -x265-params log-level=error -pix_fmt yuv420p10le "
            f"-color_trc smpte2084 -color_primaries bt2020 -colorspace bt2020nc {AAC}"), Film(256, 144, 100, 4)),
    film("full-colour.mp4", "H.264 4:4:4 of odd size", ff(f"{picture('321x181')} {sound()} -c:v libx264 -preset ultrafast -pix_fmt yuv444p {AAC}"),
         Film(256, 144, 100, 4)),
    film("grey.mp4", "H.264 without colour", ff(f"{picture()} {sound()} -c:v libx264 -preset ultrafast -pix_fmt gray {AAC}"),
         Film(256, 144, 100, 4)),
    film("anamorphic-1440.ts", "1440x1080 that is shown as 16:9, 4:2:2",
         ff(f"{picture('1440x1080', seconds=1)} {sound(1)} -c:v libx264 -preset ultrafast -pix_fmt yuv422p -vf setsar=4/3 -c:a mp2"),
         Film(256, 144, 25, 1, sync=False)),
    film("tiny.mp4", "16x16 pixels", ff(f"{picture('16x16')} {sound()} {X264} {AAC}"), Film(16, 16, 100, 4)),
    film("strip.mp4", "a strip of 1600x32 pixels", ff(f"{picture('1600x32')} {sound()} {X264} {AAC}"), Film(1600, 32, 100, 4)),
    film("short.mp4", "a tenth of a second", ff(f"{picture(rate=30, seconds=0.1)} {sound(0.1)} {X264} {AAC}"),
         Film(256, 144, 3, 0.1, rate=30, sync=False)),
    film("8k.mp4", "one picture of 7680x4320", ff(f"{picture('7680x4320', seconds=0.04)} {X264}"),
         Film(256, 144, 1, 0.04, tracks=0, sync=False)),
    film("long-gop.mp4", "one key frame: tiles and poster from a film that is hard to make smaller",
         ff("-f lavfi -i 'testsrc2=s=256x144:r=25:d=12,fade=in:0:40' -c:v libx264 -preset slow -crf 40 -g 250"),
         Film(256, 144, 300, 12, tracks=0, sync=False)),
    both("two-seconds.mov", "a tone is no speech", ff(f"{picture(seconds=2)} {sound(2)} {X264} {AAC}"),
         Film(256, 144, 50, 2), "no_speech"),
]  # fmt: skip
