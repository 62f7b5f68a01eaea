use std::{ffi::OsString, path::Path};
use vidp_common::{process::Access, store::Ranges};

/// Accepted demuxers: containers that contain their media themselves.
///
/// Playlists (`hls`, `dash`, `concat`) and pictures (`image2`, `png_pipe`, `gif` …) are excluded on purpose. A name
/// includes all aliases of its demuxer.
const CONTAINERS: &str =
    "mov,matroska,avi,mpegts,mpeg,flv,asf,mxf,dv,rm,ogg,wav,w64,mp3,flac,aac,ac3,eac3,aiff,amr,caf,wv";

/// Accepted decoders, by the names of `ffmpeg -decoders`.
///
/// Subtitles are included because ffprobe opens the decoder of every stream that has one. Streams without a decoder
/// (timecode, fonts, telemetry) need no entry.
pub(super) const CODECS: &[&str] = &[
    // Video: current codecs, old web codecs, cameras and editing.
    "h264,hevc,av1,libdav1d,libaom-av1,vp8,vp9,libvpx,libvpx-vp9,mpeg1video,mpeg2video,mpegvideo,mpeg4",
    "msmpeg4v1,msmpeg4v2,msmpeg4,wmv1,wmv2,wmv3,vc1,h261,h263,h263i,h263p,flv,vp3,vp6,vp6a,vp6f,theora",
    "rv10,rv20,rv30,rv40,svq1,svq3,cinepak,flashsv,flashsv2,mjpeg,mjpegb,dvvideo,prores,dnxhd,cfhd,jpeg2000",
    "libopenjpeg,ffv1,ffvhuff,huffyuv,utvideo,lagarith,magicyuv,qtrle,rawvideo,v210,r210,png,bmp,gif",
    // Audio.
    "aac,aac_latm,mp1,mp1float,mp2,mp2float,mp3,mp3float,ac3,eac3,dca,mlp,truehd,opus,libopus,vorbis,libvorbis",
    "flac,alac,wavpack,amrnb,amrwb,libopencore_amrnb,libopencore_amrwb,wmav1,wmav2,wmapro,wmavoice,wmalossless",
    "speex,libspeex,nellymoser,gsm,gsm_ms,libgsm,libgsm_ms,cook,sipr,real_144,real_288,dvaudio,qdm2,qcelp,mace3,mace6",
    "pcm_alaw,pcm_mulaw,pcm_u8,pcm_s8,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,pcm_f32le",
    "pcm_f32be,pcm_f64le,pcm_f64be,pcm_bluray,pcm_dvd,s302m,adpcm_ima_qt,adpcm_ima_wav,adpcm_ms,adpcm_swf",
    "adpcm_yamaha,g722,adpcm_g722,adpcm_g726",
    // Subtitles.
    "mov_text,text,subrip,srt,ass,ssa,webvtt,dvbsub,dvdsub,pgssub,xsub,cc_dec,libzvbi_teletextdec",
];

/// An input of ffmpeg or ffprobe.
#[derive(Clone, Copy)]
pub enum Input<'a> {
    /// A file on this machine.
    File(&'a Path),
    /// Ranges of an object in the store.
    Ranges(&'a Ranges),
}

impl Input<'_> {
    /// Returns the access that a program needs to read the input.
    pub fn access(&self) -> Access {
        match self {
            Input::File(path) => Access::reading(path),
            Input::Ranges(ranges) => Access::connecting(ranges.port()),
        }
    }

    /// Bytes that were fetched from the store for this input until now. A file was fetched whole.
    pub fn bytes_fetched(&self) -> u64 {
        match self {
            Input::File(path) => path.metadata().map_or(0, |file| file.len()),
            Input::Ranges(ranges) => ranges.bytes_read(),
        }
    }

    /// Arguments up to and including `-i <input>`, for ffmpeg and ffprobe.
    ///
    /// A caller that decodes adds [`MediaLimits::decode_args`](super::MediaLimits::decode_args) before these.
    pub fn args(&self) -> Vec<OsString> {
        let mut args: Vec<OsString> = Vec::with_capacity(18);
        let mut option = |name: &str, value: &str| args.extend([name.into(), value.into()]);
        option("-format_whitelist", CONTAINERS);
        option("-codec_whitelist", &CODECS.join(","));
        let input = match self {
            Input::File(path) => {
                option("-protocol_whitelist", "file");
                // With this prefix a name cannot be mistaken for a protocol or an option.
                let mut input = OsString::from("file:");
                input.push(path);
                input
            }
            Input::Ranges(ranges) => {
                // Broken connections to the store are resumed behind this URL.
                option("-protocol_whitelist", "http,tcp");
                // ffmpeg discards the bytes that wait in the socket when it seeks.
                option("-recv_buffer_size", "32768");
                ranges.url().into()
            }
        };
        args.extend(["-i".into(), input]);
        args
    }
}
