"""Creates clips from `samples/` with ffmpeg."""

import json

from bench.tools import SAMPLES, ffmpeg, run

# Noise of four sizes, each half as strong as the coarser one: the spectrum of natural pictures, on which the speed of
# an encoder depends. Flat test pictures encode several times as fast as footage.
TEXTURE = (
    "color=gray:s=32x18,noise=all_seed=1:alls=100,scale=3840:2160[a];"
    "color=gray:s=128x72,noise=all_seed=2:alls=100,scale=3840:2160[b];"
    "color=gray:s=480x270,noise=all_seed=3:alls=100,scale=3840:2160[c];"
    "color=gray:s=1920x1080,noise=all_seed=4:alls=100,scale=3840:2160[d];"
    "[a][b][c][d]mix=inputs=4:weights=6 4 2 1:scale=0.16"
)
# The camera pans over the texture and cuts every 4 s. The sample clip moves in front, under light grain.
FOOTAGE = (
    "[0:v]loop=-1:size=1,setpts=N/25/TB,"
    "crop=1920:1080:x='960+mod(floor(t/4)*700,900)+200*sin(t/2)':y='540+mod(floor(t/4)*300,500)+100*cos(t/3)',"
    "format=yuv420p[back];"
    "[1:v]scale=1920:1080,format=yuv420p[front];"
    "[front][back]blend=all_mode=average,noise=alls=4:allf=t,scale={size}[v]"
)


def footage(folder, name, size, seconds, sound, *encoder):
    """Creates a clip that is as hard to encode as ordinary footage, with the looped sound of a file."""
    texture, clip = folder / "texture.png", folder / name
    if not texture.exists():
        ffmpeg("-f", "lavfi", "-i", TEXTURE, "-frames:v", "1", "-pix_fmt", "yuv420p", texture)
    ffmpeg(
        "-framerate", "25", "-i", texture, "-stream_loop", "-1", "-i", SAMPLES / "clip.mp4",
        "-stream_loop", "-1", "-i", sound, "-filter_complex", FOOTAGE.format(size=size),
        "-map", "[v]", "-map", "2:a", "-t", str(seconds), "-c:v", "libx264", "-preset", "veryfast", *encoder,
        "-c:a", "aac", "-b:a", "96k", "-ar", "48000", "-movflags", "+faststart", clip,
    )  # fmt: skip
    return clip


def repeat(clip, times):
    """Repeats a clip `times` times without encoding it again."""
    out = clip.with_name(f"{clip.stem}-{times}{clip.suffix}")
    ffmpeg("-stream_loop", str(times - 1), "-i", clip, "-c", "copy", "-movflags", "+faststart", out)
    return out


def describe(clip):
    """For example `60 s, 1920x1080, 4.1 Mbit/s`."""
    shown = "format=duration,bit_rate:stream=width,height"
    facts = json.loads(run(["ffprobe", "-v", "error", "-show_entries", shown, "-of", "json", clip]))
    (picture,) = [stream for stream in facts["streams"] if "width" in stream]
    rate = float(facts["format"]["bit_rate"]) / 1e6
    return f"{float(facts['format']['duration']):.0f} s, {picture['width']}x{picture['height']}, {rate:.1f} Mbit/s"
