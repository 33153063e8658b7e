#!/usr/bin/env python3
"""Writes the seeds of the fuzzers: python3 tests/fuzz/make_seeds.py (they are in the repository; run it when a
format changes). Inputs that once found something stand beside them as regression-*."""
import json, math, os, struct

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


def put(harness, name, data):
    os.makedirs(os.path.join(FOLDER, harness), exist_ok=True)
    with open(os.path.join(FOLDER, harness, name), "wb") as file:
        file.write(data)


def npy(shape, descr="<f4", fortran=False, version=1, values=None):
    text = "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }" % (descr, fortran, shape)
    size = (10 if version == 1 else 12) + len(text) + 1
    text += " " * (-size % 64) + "\n"
    count = math.prod(shape)
    values = values or [-6 + 3 * math.sin(i) for i in range(count)]
    body = struct.pack("<%d%s" % (count, {"<f2": "e", "<f4": "f", "<f8": "d"}[descr]), *values)
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode() + body


put("npy", "bands-first", npy((4, 9)))
put("npy", "frames-first", npy((9, 4)))
put("npy", "batch", npy((1, 4, 6)))
put("npy", "half-fortran", npy((4, 5), "<f2", True))
put("npy", "double-version-2", npy((4, 5), "<f8", False, 2))
put("npy", "square", npy((4, 4)))
put("npy", "empty", npy((4, 0)))
put("npy", "scalar", npy((), values=[1.0]))
put("npy", "not-finite", npy((4, 1), values=[0.0, math.inf, math.nan, 1.0]))


def safetensors(tensors, metadata=None):
    header, body = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, dtype, shape, data in tensors:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body


TINY = {
    "format": 1, "family": "lull", "name": "tiny",
    "mel": {"convention": "hifigan", "sample_rate": 8000, "n_fft": 64, "window": 64, "hop": 16, "bands": 4,
            "fmax": 4000},
    "network": {"patch": 8, "channels": 2, "layers": 1, "kernel": 3, "dilations": [1], "look_ahead": [0],
                "embedding": {"hidden": 2, "frequencies": 1},
                "conditioner": {"channels": 2, "kernel": 1, "layers": 1, "look_ahead": 0}},
    "synthesis": {"steps": 1, "refine": 1, "refine_window": 1},
}
SHAPES = [
    ("input_projection.weight", [2, 8, 1]), ("input_projection.bias", [2]),
    ("diffusion_embedding.projection1.weight", [2, 2]), ("diffusion_embedding.projection1.bias", [2]),
    ("diffusion_embedding.projection2.weight", [2, 2]), ("diffusion_embedding.projection2.bias", [2]),
    ("conditioner.conv1.weight", [2, 4, 1]), ("conditioner.conv1.bias", [2]),
    ("residual_layers.0.dilated_conv.weight", [4, 2, 3]), ("residual_layers.0.dilated_conv.bias", [4]),
    ("residual_layers.0.diffusion_projection.weight", [2, 2]),
    ("residual_layers.0.diffusion_projection.bias", [2]),
    ("residual_layers.0.conditioner_projection.weight", [4, 2, 1]),
    ("residual_layers.0.conditioner_projection.bias", [4]),
    ("residual_layers.0.output_projection.weight", [4, 2, 1]),
    ("residual_layers.0.output_projection.bias", [4]),
    ("skip_projection.weight", [2, 2, 1]), ("skip_projection.bias", [2]),
    ("output_projection.weight", [8, 2, 1]), ("output_projection.bias", [8]),
]


def model(dtype="F32"):
    tensors, seed = [], 1
    for name, shape in SHAPES:
        count = math.prod(shape)
        values = [0.3 * math.sin(seed * 7 + i) for i in range(count)]
        if dtype == "F32":
            data = struct.pack("<%df" % count, *values)
        elif dtype == "F64":
            data = struct.pack("<%dd" % count, *values)
        else:
            data = b"".join(struct.pack("<f", v)[2:] for v in values)
        tensors.append((name, dtype, shape, data))
        seed += 1
    return safetensors(tensors, {"lull": json.dumps(TINY), "training": "{}"})


put("model", "model", model())
put("model", "model-bf16", model("BF16"))
put("model", "model-f64", model("F64"))
put("model", "tensors", safetensors([("a", "F32", [2, 2], bytes(16)), ("b", "I64", [], bytes(8)),
                                     ("c", "U8", [5], bytes(5)), ("d", "F32", [0, 3], b"")], {"k": "v"}))
put("model", "nothing", safetensors([]))
put("model", "deep", struct.pack("<Q", 200) + b"[" * 200)
put("model", "long-header", struct.pack("<Q", 2**63 - 1) + b"{}")

put("config", "tiny", json.dumps(TINY).encode())
put("config", "default", b'{"format":1}')
diffwave = {"format": 1, "family": "diffwave", "network": {"layers": 4, "channels": 4, "dilations": [1, 2]}}
put("config", "diffwave", json.dumps(diffwave).encode())
for objective, kind, sampler in (("noise", "betas", "ddpm"), ("flow", "linear", "heun"), ("data", "angle", "ddim"),
                                 ("v", "betas", "ddim")):
    one = dict(TINY, process={"objective": objective, "schedule": {"kind": kind, "training_steps": 20,
                              "beta_first": 1e-4, "beta_last": 0.05} if kind == "betas" else {"kind": kind}})
    one["synthesis"] = {"sampler": sampler, "steps": 20 if sampler == "ddpm" else 2, "eta": 0.5,
                        "low_latency": {"steps": 20 if sampler == "ddpm" else 1, "refine": 0, "refine_window": 0},
                        "offline": {"steps": 20 if sampler == "ddpm" else 2, "refine": 1, "refine_window": 2}}
    put("config", objective + "-" + kind, json.dumps(one).encode())
full = json.loads(json.dumps(TINY))
full["mel"].update(mean=[0, 1, 2, 3], deviation=[1, 1, 1, 2], scale="htk", compression="log10", centred=True,
                   floor=1e-10, fmin=20, magnitude_epsilon=0, normalized_window=True)
full["network"].update(whitened=False, tilt_hz=0, input_relu=True)
put("config", "statistics", json.dumps(full).encode())


def wav(channels, rate, code, bits, data, extra=b""):
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", code, channels, rate, rate * block, block, bits)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + extra + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


pcm = struct.pack("<400h", *[int(20000 * math.sin(i / 5)) for i in range(400)])
put("audio", "mono-16", b"\1" + wav(1, 16000, 1, 16, pcm))
put("audio", "stereo-24", b"\2" + wav(2, 44100, 1, 24, pcm + pcm[:400]))
put("audio", "float", b"\0" + wav(1, 22050, 3, 32, struct.pack("<200f", *[math.sin(i / 9) for i in range(200)])))
put("audio", "not-finite", b"\0" + wav(1, 22050, 3, 32, struct.pack("<4f", 0, math.nan, math.inf, 1)))
put("audio", "mulaw", b"\3" + wav(1, 8000, 7, 8, bytes(range(256))))
put("audio", "list-chunk", b"\1" + wav(1, 8000, 1, 8, bytes(range(200)), b"LIST" + struct.pack("<I", 4) + b"INFO"))
put("audio", "au", b"\1" + b".snd" + struct.pack(">IIIII", 24, 200, 3, 8000, 1) + pcm[:200])
aiff = b"COMM" + struct.pack(">IhIh", 18, 1, 100, 16) + b"\x40\x0c\xfa" + bytes(7) + b"SSND" + struct.pack(">III", 208, 0, 0)
put("audio", "aiff", b"\1FORM" + struct.pack(">I", 4 + len(aiff) + 200) + b"AIFF" + aiff + pcm[:200])

floats = struct.pack("<240f", *[-6 + 2 * math.sin(i) for i in range(240)])
put("frames", "one-band", b"\0\1" + floats)
put("frames", "three-bands", b"\1\7" + floats)
put("frames", "eight-bands-log10", b"\x0a\3" + floats)
put("frames", "eighty-bands", b"\3\2" + floats)
put("frames", "diffwave", b"\x42\2" + struct.pack("<64f", *[0.5 + 0.3 * math.sin(i) for i in range(64)]))
put("frames", "npy", b"\2\5" + npy((8, 9)))
put("frames", "partial", b"\2\5" + floats[:-3])
put("frames", "not-finite", b"\2\5" + floats[:64] + struct.pack("<8f", *[math.nan] * 8))

hello = b"LULL" + struct.pack("<HHIIQIiiI", 1, 40, 8, 0, 7, 2, 1, 1, 0)
frames = struct.pack("<64f", *[-6 + 2 * math.sin(i) for i in range(64)])
message = struct.pack("<II", 1, len(frames)) + frames
end = struct.pack("<II", 2, 0)
put("serve", "stream", hello + message + message + end)
put("serve", "defaults", b"LULL" + struct.pack("<HHIIQIiiI", 1, 40, 0, 1, 0, 0, -1, -1, 0) + message + end)
put("serve", "no-end", hello + message)
put("serve", "only-hello", hello)
put("serve", "too-long", hello + struct.pack("<II", 1, 2**32 - 4))
put("serve", "wrong-version", b"LULL" + struct.pack("<HHIIQIiiI", 2, 40, 8, 0, 7, 2, 1, 1, 0))
put("serve", "many-steps", b"LULL" + struct.pack("<HHIIQIiiI", 1, 40, 8, 0, 7, 2**31, 1, 1, 0))
put("serve", "not-finite", hello + struct.pack("<II", 1, 32) + struct.pack("<8f", *[math.nan] * 8))
put("serve", "another-protocol", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")

quiet = bytes(100 + i % 50 for i in range(64))
put("vocoder", "whole", b"\x02\x00" + bytes([7]) + quiet + bytes([7]) + quiet + bytes([200] * 6 + [240]) + bytes([200] * 9))
put("vocoder", "pieces", b"\x55\x71" + (bytes([1]) + quiet[:16] + bytes([113, 200, 120])) * 6 + bytes([240, 200, 200, 200]))
put("vocoder", "threads-refined", b"\x6d\x31" + (bytes([4]) + quiet[:40] + bytes([239])) * 4 + bytes([241] + [239] * 6))
put("vocoder", "reset", b"\x01\xf0" + bytes([3]) + quiet[:32] + bytes([200, 250, 9, 7]) + quiet + bytes([245, 150, 150, 150]))
put("vocoder", "loud", b"\x05\xf0" + bytes([7]) + bytes([254] * 64) + bytes([240] + [239] * 4))
put("vocoder", "not-finite", b"\x05\xf0" + bytes([0]) + b"\xff\x00\x00\xc0\x7f" * 8 + bytes([0]) + quiet[:8] + bytes([240, 239]))
put("vocoder", "huge", b"\x05\xf0" + bytes([1]) + b"\xff\xff\xff\x7f\x7f" * 16 + bytes([240] + [239] * 4))
