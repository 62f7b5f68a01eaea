#!/usr/bin/env python3
"""Create `samples/`: recorded human speech from the Asterisk prompts of Debian, and a picture drawn by ffmpeg.

Only a change of the samples needs this, because they are in the repository. Needs Debian or Ubuntu with ffmpeg. The
packages are downloaded and unpacked into a temporary folder, not installed.
"""

import pathlib
import subprocess
import tempfile

SAMPLES = pathlib.Path(__file__).resolve().parent.parent / "samples"
GAP = 0.4  # seconds of silence between two prompts

VOICES = {
    "en": "en_US_f_Allison",
    "fr": "fr_CA_f_June",
    "es": "es_MX_f_Allison",
    "it": "it_IT_m_Carlo",
    "ru": "ru_RU_f_IvrvoiceRU",
}

# Prompt -> spoken text: the transcripts in the packages, with corrected spelling and accents.
CLIP = {
    "ss-noservice": "The number you have dialed is not in service. Please check the number and try again.",
    "followme/status": "The person you are calling is not at their desk. I will try to locate them for you.",
    "queue-youarenext": "Your call is now first in line and will be answered by the next available representative.",
    "tt-allbusy": "All representatives of the household are currently assisting other telemarketers. Please hold and "
    "your call will be answered in the order it was received.",
}
SPEECH = {
    "en": {
        "demo-echotest": "You are about to enter an echo test. In this mode everything you say will be repeated back "
        "to you just as soon as it is received. The purpose of this test is to give you an audible sense of the "
        "latency between you and the machine that is running the echo test application. You may end the test by "
        "hanging up or by pressing the pound key.",
        "vm-nobodyavail": "Nobody is available to take your call at the moment.",
        "conf-onlyone": "There is currently one other participant in the conference.",
        "privacy-prompt": "Please enter your phone number, starting with the area code.",
    },
    "fr": {
        "followme/status": "La personne que vous désirez joindre n'est pas à son bureau, je vais tenter de la "
        "localiser pour vous.",
        "demo-echotest": "Vous êtes sur le point d'entreprendre un test d'écho. Dans ce mode, tout ce que vous direz "
        "vous sera répété dès que reçu. Le but de ce test est de vous donner un exemple audible de la latence entre "
        "vous et la machine qui exécute l'application de test d'écho. Vous pourrez quitter le test en raccrochant ou "
        "en appuyant sur dièse.",
        "queue-periodic-announce": "Tous nos représentants sont présentement occupés. Veuillez demeurer en ligne et "
        "le prochain représentant disponible vous répondra sous peu.",
    },
    "es": {
        "followme/status": "La persona a quien ha llamado no se encuentra en su escritorio. Intentaré localizarla "
        "por usted.",
        "demo-abouttotry": "Intentaré establecer una conexión intra-Asterisk con un servidor de demostración "
        "localizado en Digium. Para lograr esto, usted ya debe estar conectado a Internet. Por favor espere mientras "
        "intento establecer la conexión.",
        "queue-youarenext": "Su llamada es la primera en línea y será atendida por el próximo representante.",
        "vm-mailboxfull": "Lo siento, pero el buzón de esta persona no puede aceptar más mensajes.",
    },
    "it": {
        "demo-echotest": "Stai per iniziare un test dell'eco. In questa modalità tutto quanto dirai ti verrà ripetuto "
        "appena viene ricevuto. Lo scopo di questo test è di fornirti un'indicazione udibile della latenza fra te e "
        "il computer che sta eseguendo il programma di test dell'eco. Puoi terminare il test appendendo il ricevitore "
        "o premendo il tasto cancelletto.",
        "queue-periodic-announce": "Tutti i nostri operatori sono al momento occupati. Rimanga cortesemente in linea "
        "e le risponderà il primo operatore disponibile.",
        "ss-noservice": "Il numero che ha digitato non è in uso. Prego controllare il numero e riprovare.",
    },
    "ru": {
        "queue-periodic-announce": "Все наши операторы заняты. Пожалуйста, оставайтесь на линии, и Ваш звонок будет "
        "обслужен первым доступным оператором.",
        "demo-moreinfo": "Asterisk это полноценная телефонная станция и платформа для голосовых меню, работающая под "
        "операционной системой Линукс. Дополнительная информация на сайте www.asterisk.org.",
        "tt-allbusy": "В данный момент все операторы заняты. Пожалуйста, оставайтесь на линии, ваш вызов будет принят "
        "в порядке очереди.",
        "queue-youarenext": "Ваш звонок является первым в очереди и будет обслужен первым доступным оператором.",
    },
}


def run(*command, cwd=None):
    subprocess.run([str(part) for part in command], check=True, cwd=cwd, stdout=subprocess.DEVNULL)


def ffmpeg(*args):
    run("ffmpeg", "-v", "error", "-nostdin", "-y", *args)


def join(folder, voice, prompts, out):
    """Joins the prompts into one file, 16 kHz mono."""
    inputs = [part for prompt in prompts for part in ("-i", folder / voice / f"{prompt}.g722")]
    padded = "".join(f"[{i}:a]apad=pad_dur={GAP}[p{i}];" for i in range(len(prompts)))
    labels = "".join(f"[p{i}]" for i in range(len(prompts)))
    ffmpeg(*inputs, "-filter_complex", f"{padded}{labels}concat=n={len(prompts)}:v=0:a=1", "-ar", "16000", out)


def main():
    (SAMPLES / "speech").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        temporary = pathlib.Path(temporary)
        for language in VOICES:
            run("apt-get", "download", f"asterisk-core-sounds-{language}-g722", cwd=temporary)
        for package in temporary.glob("*.deb"):
            run("dpkg", "-x", package, temporary)
        sounds = temporary / "usr" / "share" / "asterisk" / "sounds"
        wav = temporary / "speech.wav"

        for language, prompts in SPEECH.items():
            join(sounds, VOICES[language], prompts, wav)
            out = SAMPLES / "speech" / f"{language}.ogg"
            ffmpeg("-i", wav, "-c:a", "libopus", "-b:a", "24k", "-map_metadata", "-1", "-fflags", "+bitexact", out)
            (SAMPLES / "speech" / f"{language}.txt").write_text("\n".join(prompts.values()) + "\n")

        join(sounds, VOICES["en"], CLIP, wav)
        # A slowly turning gradient under the waveform of the voice.
        picture = (
            "gradients=s=1280x720:r=25:n=4:speed=0.01:seed=7:c0=0x10243e:c1=0x1f6f8b:c2=0xe07a5f:c3=0x3d405b[back];"
            "[0:a]showwaves=s=160x60:r=5:mode=cline:colors=0xf4f1de:draw=full,fps=25,"
            "scale=1280:480:flags=bicubic[wave];"
            "[back][wave]overlay=0:120:shortest=1,format=yuv420p[v]"
        )
        ffmpeg(
            "-i", wav, "-filter_complex", picture, "-map", "[v]", "-map", "0:a",
            "-c:v", "libx264", "-preset", "slow", "-crf", "19", "-g", "100",
            "-c:a", "aac", "-ar", "48000", "-b:a", "96k", "-movflags", "+faststart", SAMPLES / "clip.mp4",
        )  # fmt: skip
        (SAMPLES / "clip.txt").write_text("\n".join(CLIP.values()) + "\n")


if __name__ == "__main__":
    main()
