#!/usr/bin/env python3
"""The speed of lull beside PyTorch and onnxruntime: the same networks, weights, noise and input, in one run.

    compare_peers.py [--lull build/lull] [--onnxruntime FOLDER] [--networks diffwave,lull]
                     [--precisions float32,bfloat16] [--threads 1,2] [--rounds N] [--seconds X] [--json FILE]

Two networks: DiffWave base (30 layers of 64 channels, random weights in the published layout, brought in by
tools/import_diffwave.py, six-step fast sampling) and the default model's (six steps, without the whitening
and the refinement that only lull has). Every program runs the whole reverse process from the same noise. Outputs
are compared before times; then the programs take turns, and medians count. Needs python3-torch; onnxruntime is
npm's onnxruntime-node:

    npm install --ignore-scripts --prefix FOLDER onnxruntime-node

Peers get what helps them: step embeddings as constants, the default model's conditioning interpolated once, a
warm-up run; PyTorch also its tracing compiler, onnxruntime the whole process as one graph (there it finds what is
the same in all steps, and keeps it: memory for every sample of the utterance) beside one evaluation a run, as
networks are usually exported. lull draws its noise itself while it is measured.
"""
import argparse
import copy
import json
import math
import os
import pathlib
import resource
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import warnings

# Both variables make OpenBLAS slower than it is: unset for everybody.
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(name, None)

import numpy
import torch
from torch import nn
from torch.nn import functional as F

ROOT = pathlib.Path(__file__).resolve().parent.parent
FAST_BETAS = [1e-4, 1e-3, 1e-2, 0.05, 0.2, 0.5]  # DiffWave, appendix B


# ---- the process: every step is x' = a·x + b·u + c·noise ----

def denoise(objective, levels, next_levels, sigma):
    """Song et al. 2021, eq. 12, as coefficients of x, u and fresh noise."""
    (a, s), (a2, s2) = levels, next_levels
    rest = math.sqrt(max(0.0, s2 * s2 - sigma * sigma))
    if objective == "noise":  # x0 = (x - s·u)/a, noise = u
        return a2 / a, rest - a2 * s / a, sigma
    return a2 * a + rest * s, a2 * s - rest * a, sigma  # v: x0 = a·x + s·u, noise = s·x - a·u


def ancestral(levels, next_levels):
    (a, s), (a2, s2) = levels, next_levels
    r = a / a2 * s2 / s
    return s2 * math.sqrt(max(0.0, 1 - r * r))


def fast_plan():
    """(network time, coefficients, clamp) of DiffWave's six steps."""
    training = numpy.sqrt(numpy.cumprod(1 - numpy.linspace(1e-4, 0.05, 50)))
    roots = numpy.sqrt(numpy.cumprod(1 - numpy.array(FAST_BETAS)))
    plan = []
    for n in reversed(range(6)):
        t = float(numpy.interp(-roots[n], -training, numpy.arange(50)))
        levels = (roots[n], math.sqrt(1 - roots[n] ** 2))
        after = (roots[n - 1], math.sqrt(1 - roots[n - 1] ** 2)) if n else (1.0, 0.0)
        plan.append((t, denoise("noise", levels, after, ancestral(levels, after)), 1.0))
    return plan


def angle_plan(steps, eta):
    def levels(k):
        return math.sin(k / steps * math.pi / 2), math.cos(k / steps * math.pi / 2)
    plan = []
    for k in range(steps):
        after = levels(k + 1) if k + 1 < steps else (1.0, 0.0)
        plan.append((k / steps, denoise("v", levels(k), after, eta * after[1]), 0.0))
    return plan


# ---- the network (Kong et al. 2021, figure 2) ----

class Network(nn.Module):
    """The whole reverse process for `frames` mel frames; the weights are a dictionary under their published names."""

    def __init__(self, config, weights, plan, frames):
        super().__init__()
        self.config, self.frames = config, frames
        self.count = len(config["dilations"])
        self.coefficients = [(c, clamp) for _, c, clamp in plan]
        w = {k: v.clone() for k, v in weights.items()}
        for l in range(self.count):  # step terms are constants of a step
            projection = [w.pop(f"residual_layers.{l}.diffusion_projection.{k}") for k in ("weight", "bias")]
            for k, (t, _, _) in enumerate(plan):
                w[f"step.{k}.{l}"] = F.linear(self.embedding(weights, t), *projection)[None, :, None]
        for k in list(w):
            if k.startswith("diffusion_embedding"):
                del w[k]
        self.names = {k: k.replace(".", "_") for k in w}
        for k, v in w.items():
            self.register_buffer(self.names[k], v)
        if config["family"] == "lull":
            rows = torch.arange(frames * config["hop"] // config["patch"], dtype=torch.float64)
            at = ((rows + 0.5) * config["patch"] - config["hop"] // 2) / config["hop"]
            at = at.clamp(0, frames - 1)
            self.register_buffer("low", at.floor().long())
            self.register_buffer("high", (at.floor().long() + 1).clamp(max=frames - 1))
            self.register_buffer("fraction", (at - at.floor()).float())

    def w(self, name):
        return getattr(self, self.names[name])

    def convolve(self, name, x, **more):
        return F.conv1d(x, self.w(name + ".weight"), self.w(name + ".bias"), **more)

    def embedding(self, weights, t):
        c = self.config
        j = torch.arange(c["frequencies"], dtype=torch.float32)
        if c["family"] == "diffwave":  # a table of whole steps, interpolated
            angles = [step * torch.pow(10.0, j * 4.0 / 63.0) for step in (math.floor(t), math.ceil(t))]
            table = [torch.cat([torch.sin(a), torch.cos(a)]) for a in angles]
            e = torch.lerp(table[0], table[1], t - math.floor(t))
        else:
            omega = c["from"] * (c["to"] / c["from"]) ** (j.double() / (len(j) - 1))
            e = torch.cat([torch.sin(t * omega), torch.cos(t * omega)]).float()
        for k in ("1", "2"):
            name = f"diffusion_embedding.projection{k}."
            e = F.silu(F.linear(e, weights[name + "weight"], weights[name + "bias"]))
        return e

    def condition(self, mel):
        """What every layer adds, as far as it is the same in every step."""
        c = self.config
        if c["family"] == "diffwave":
            y = mel.unsqueeze(1).float()  # PyTorch 1.13 has no bfloat16 transposed convolution
            for k in ("1", "2"):
                name = f"spectrogram_upsampler.conv{k}."
                y = F.leaky_relu(F.conv_transpose2d(y, self.w(name + "weight").float(), self.w(name + "bias").float(),
                                                    stride=(1, 16), padding=(1, 8)), 0.4)
            return [y.squeeze(1).to(mel.dtype)] * self.count
        y = (mel + c["mel_offset"]) * c["mel_scale"]
        for k in range(c["conditioner_layers"]):
            ahead = c["conditioner_ahead"]
            y = F.pad(y, (c["conditioner_kernel"] - 1 - ahead, ahead))
            y = F.silu(self.convolve(f"conditioner.conv{k + 1}", y))
        out = []
        for l in range(self.count):
            p = self.convolve(f"residual_layers.{l}.conditioner_projection", y)
            out.append(torch.lerp(p[..., self.low], p[..., self.high], self.fraction.to(p.dtype)))
        return out

    def evaluate(self, x, terms, condition):
        c, skip = self.config, None
        x = self.convolve("input_projection", x)
        x = F.relu(x) if c["input_relu"] else x
        for l, (dilation, ahead) in enumerate(zip(c["dilations"], c["look_ahead"])):
            name = f"residual_layers.{l}."
            y = x + terms[l]
            if 2 * ahead == (c["kernel"] - 1) * dilation:
                y = self.convolve(name + "dilated_conv", y, padding=ahead, dilation=dilation)
            else:
                y = F.pad(y, ((c["kernel"] - 1) * dilation - ahead, ahead))
                y = self.convolve(name + "dilated_conv", y, dilation=dilation)
            added = condition[l]
            if c["family"] == "diffwave":
                added = self.convolve(name + "conditioner_projection", added)
            gate, values = torch.chunk(y + added, 2, dim=1)
            y = self.convolve(name + "output_projection", torch.sigmoid(gate) * torch.tanh(values))
            residual, s = torch.chunk(y, 2, dim=1)
            x = (x + residual) * math.sqrt(0.5)
            skip = s if skip is None else skip + s
        x = F.relu(self.convolve("skip_projection", skip * (1 / math.sqrt(self.count))))
        return self.convolve("output_projection", x)

    def forward(self, mel, noise):
        """mel [1, bands, frames], noise [rows, samples] to samples."""
        c = self.config
        condition = self.condition(mel)
        patches = noise.reshape(noise.shape[0], 1, -1, c["patch"]).transpose(2, 3)
        x = patches[0]
        for k, ((a, b, d), clamp) in enumerate(self.coefficients):
            u = self.evaluate(x, [self.w(f"step.{k}.{l}") for l in range(self.count)], condition)
            x = a * x + b * u
            if d:
                x = x + d * patches[k + 1]
            x = x.clamp(-clamp, clamp) if clamp else x
        return x.transpose(1, 2).reshape(-1)


class Evaluation(nn.Module):
    """One evaluation, as networks are usually exported: the step's terms are inputs."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, mel, x, *terms):
        patches = x.reshape(1, -1, self.network.config["patch"]).transpose(1, 2)
        return self.network.evaluate(patches, terms, self.network.condition(mel)).transpose(1, 2).reshape(-1)


# ---- the two networks as model files ----

def read_safetensors(path):
    data = pathlib.Path(path).read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    meta = header.pop("__metadata__")
    kinds = {"F32": numpy.float32, "F64": numpy.float64}
    tensors = {}
    for k, v in header.items():
        first, last = v["data_offsets"]
        part = data[8 + size + first:8 + size + last]
        if v["dtype"] == "BF16":
            values = (numpy.frombuffer(part, numpy.uint16).astype(numpy.uint32) << 16).view(numpy.float32)
        else:
            values = numpy.frombuffer(part, kinds[v["dtype"]]).astype(numpy.float32)
        tensors[k] = torch.from_numpy(values.reshape(v["shape"]).copy())
    return meta, header, data[8 + size:], tensors


def configuration(meta):
    c = json.loads(meta["lull"])
    n = c["network"]

    def cycle(values):
        return [values[l % len(values)] for l in range(n["layers"])]
    dilations = cycle(n["dilations"])
    look_ahead = cycle(n["look_ahead"]) if c["family"] == "lull" else dilations
    more = n.get("conditioner", {})
    return dict(family=c["family"], name=c["name"], hop=c["mel"]["hop"], rate=c["mel"]["sample_rate"],
                patch=n["patch"], kernel=n["kernel"], input_relu=n["input_relu"], dilations=dilations,
                look_ahead=look_ahead, frequencies=n["embedding"]["frequencies"], steps=c["synthesis"]["steps"],
                eta=c["synthesis"]["eta"], to=n["embedding"]["to"], mel_offset=more.get("mel_offset"),
                mel_scale=more.get("mel_scale"), conditioner_layers=more.get("layers"),
                conditioner_kernel=more.get("kernel"), conditioner_ahead=more.get("look_ahead"),
                **{"from": n["embedding"]["from"]})


def make_diffwave(folder):
    """A checkpoint of the published layout with random weights, imported."""
    torch.manual_seed(1)
    state = {}

    def add(name, *shape):
        fan = math.prod(shape[1:]) if len(shape) > 2 or name.endswith("n1") or "diffusion" in name else shape[-1]
        bound = 1 / math.sqrt(max(1, fan))
        state[name + ".weight"] = torch.empty(*shape).uniform_(-bound, bound)
        outputs = 1 if "upsampler" in name else shape[0]
        state[name + ".bias"] = torch.empty(outputs).uniform_(-bound, bound)
    add("input_projection", 64, 1, 1)
    add("diffusion_embedding.projection1", 512, 128)
    add("diffusion_embedding.projection2", 512, 512)
    add("spectrogram_upsampler.conv1", 1, 1, 3, 32)
    add("spectrogram_upsampler.conv2", 1, 1, 3, 32)
    for l in range(30):
        add(f"residual_layers.{l}.dilated_conv", 128, 64, 3)
        add(f"residual_layers.{l}.diffusion_projection", 64, 512)
        add(f"residual_layers.{l}.conditioner_projection", 128, 80, 1)
        add(f"residual_layers.{l}.output_projection", 128, 64, 1)
    add("skip_projection", 64, 64, 1)
    add("output_projection", 1, 64, 1)
    checkpoint, model = folder / "weights.pt", folder / "diffwave-base.safetensors"
    torch.save({"model": state, "params": {"sample_rate": 22050}}, checkpoint)
    subprocess.run([sys.executable, str(ROOT / "tools/import_diffwave.py"), str(checkpoint), str(model), "--quiet",
                    "--dilation-cycle", "10"], check=True)
    return model


def make_plain(source, folder):
    """The model's denoiser alone, of the waveform itself, in six steps: a network and a sampler."""
    meta, header, data, _ = read_safetensors(source)
    config = json.loads(meta["lull"])
    network, uses = config["network"], {"steps": 6, "refine": 0}
    for part in "postnet", "pitch", "spectrum", "bandwidth":
        network.pop(part, None)
        header = {name: where for name, where in header.items() if not name.startswith(part + ".")}
    network["whitened"], network["below_hz"] = False, 0
    config["synthesis"] = dict(uses, sampler="ddim", eta=config["synthesis"]["eta"], low_latency=uses, offline=uses)
    tensors, used = {}, b""
    for name, where in header.items():
        begin, end = where["data_offsets"]
        tensors[name] = dict(where, data_offsets=[len(used), len(used) + end - begin])
        used += data[begin:end]
    text = json.dumps({"__metadata__": dict(meta, lull=json.dumps(config)), **tensors}).encode()
    text += b" " * (-len(text) % 8)
    path = folder / "plain.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + used)
    return path


# ---- the programs ----

NODE = """
const ort = require('onnxruntime-node'), fs = require('fs'), readline = require('readline');
const [mode, model, threads, melFile, bands, frames, noiseFile, rows, samples, output, plan] = process.argv.slice(2);
const floats = f => { const b = fs.readFileSync(f);
                      return new Float32Array(b.buffer.slice(b.byteOffset, b.byteOffset + b.length)); };
(async () => {
  const session = await ort.InferenceSession.create(model, {intraOpNumThreads: +threads, interOpNumThreads: 1,
    graphOptimizationLevel: 'all', executionMode: 'sequential', executionProviders: ['cpu'], logSeverityLevel: 3});
  const mel = new ort.Tensor('float32', floats(melFile), [1, +bands, +frames]), noise = floats(noiseFile);
  const all = new ort.Tensor('float32', noise, [+rows, +samples]);
  const whole = async () => (await session.run({mel, noise: all})).samples.data;
  const stepwise = async () => {  // the steps of the process here, the network in the session
    const n = +samples, x = noise.slice(0, n);
    let row = 1;
    for (const step of JSON.parse(fs.readFileSync(plan))) {
      const feeds = {mel, x: new ort.Tensor('float32', x, [n])}, [a, b, c, clamp] = step.coefficients;
      step.terms.forEach((t, l) => {
        feeds['step' + l] = new ort.Tensor('float32', Float32Array.from(t), [1, t.length, 1]);
      });
      const u = (await session.run(feeds)).u.data, at = row * n;
      for (let i = 0; i < n; i++) {
        let y = a * x[i] + b * u[i] + (c ? c * noise[at + i] : 0);
        if (clamp) y = Math.min(clamp, Math.max(-clamp, y));
        x[i] = y;
      }
      if (c) row++;
    }
    return x;
  };
  const run = async () => {
    const cpu = process.cpuUsage(), start = process.hrtime.bigint();
    const out = await (mode === 'whole' ? whole() : stepwise());
    const wall = Number(process.hrtime.bigint() - start) * 1e-9, used = process.cpuUsage(cpu);
    return [wall, (used.user + used.system) * 1e-6, out];
  };
  const warm = await run();
  fs.writeFileSync(output, Buffer.from(warm[2].buffer, warm[2].byteOffset, warm[2].byteLength));
  console.log('ready');
  for await (const line of readline.createInterface({input: process.stdin})) {
    const [wall, cpu] = await run();
    console.log(wall + ' ' + cpu);
  }
})().catch(e => { console.error(e.message); process.exit(1); });
"""


class Torch:
    def __init__(self, network, mel, noise, kind, threads, traced):
        self.threads = threads
        network = copy.deepcopy(network).eval()
        if kind == "bfloat16":
            network = network.bfloat16()
        self.inputs = tuple(x.to(torch.bfloat16 if kind == "bfloat16" else torch.float32) for x in (mel, noise))
        torch.set_num_threads(threads)
        with torch.inference_mode():
            if traced:
                network = torch.jit.freeze(torch.jit.trace(network, self.inputs, check_trace=False))
            self.network = network
            for _ in range(2 if traced else 1):  # the tracing compiler specializes in its second run
                self.output = self.network(*self.inputs).float().numpy()

    def run(self):
        torch.set_num_threads(self.threads)
        cpu, start = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
        with torch.inference_mode():
            self.network(*self.inputs)
        wall, used = time.monotonic() - start, resource.getrusage(resource.RUSAGE_SELF)
        return wall, used.ru_utime + used.ru_stime - cpu.ru_utime - cpu.ru_stime


class Onnxruntime:
    def __init__(self, job, threads, folder, mode):
        script = job.folder / "run.js"
        script.write_text(NODE)
        output = job.folder / f"onnx-{mode}-{threads}.raw"
        environment = dict(os.environ, NODE_PATH=str(pathlib.Path(folder) / "node_modules"))
        mel = job.mel.numpy()
        self.child = subprocess.Popen(
            ["node", str(script), mode, str(job.onnx[mode]), str(threads), str(job.mel_raw), str(mel.shape[1]), str(mel.shape[2]),
             str(job.noise_raw), str(job.noise.shape[0]), str(job.noise.shape[1]), str(output), str(job.plan)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        if self.child.stdout.readline().strip() != "ready":
            raise SystemExit("compare_peers.py: onnxruntime did not start; the lines above say why")
        self.output = numpy.fromfile(output, numpy.float32)

    def run(self):
        self.child.stdin.write("\n")
        self.child.stdin.flush()
        return tuple(float(v) for v in self.child.stdout.readline().split())

    def close(self):
        self.child.stdin.close()
        self.child.wait()


class Lull:
    def __init__(self, job, program, kind, threads):
        self.seconds = job.seconds
        precision = "bf16" if kind == "bfloat16" else "f32"
        self.command = [program, "bench", "--brief", "--json", "--rounds", "2", "-m", str(job.model), "--refine", "0",
                        "-p", precision, "-t", str(threads), str(job.mel_npy)]
        subprocess.run([program, "synth", "-q", "--force", "-m", str(job.model), "--refine", "0", "-p", precision, "-t",
                        str(threads), "-N", str(job.noise_npy), str(job.mel_npy), "-f", "float", "-o",
                        str(job.folder / "lull.wav")], check=True)
        data = (job.folder / "lull.wav").read_bytes()
        at = data.index(b"data") + 8
        self.output = numpy.frombuffer(data[at:at + 4 * job.noise.shape[1]], numpy.float32)

    def run(self):
        done = subprocess.run(self.command, check=True, capture_output=True)
        row = json.loads(done.stdout)["rows"][0]
        return row["rounds"][-1] * self.seconds, row["rounds_cpu"][-1] * self.seconds


class Job:
    """One network and its input, as every program wants them."""

    def __init__(self, which, arguments, folder):
        self.folder = folder / which
        self.folder.mkdir()
        self.model = (make_diffwave(self.folder) if which == "diffwave" else
                      make_plain(arguments.model, self.folder))
        meta, _, _, weights = read_safetensors(self.model)
        self.config = configuration(meta)
        rate, hop = self.config["rate"], self.config["hop"]
        seconds = arguments.seconds or (0.5 if which == "diffwave" else 4.0)
        whole = self.folder / "whole.npy"
        subprocess.run([arguments.lull, "mel", "-q", str(arguments.input), "-m", str(self.model), "-o", str(whole)],
                       check=True)
        mel = numpy.load(whole)
        mel = numpy.tile(mel if mel.shape[0] == 80 else mel.T, (1, 100))
        frames = max(1, round(seconds * rate / hop))
        mel = numpy.ascontiguousarray(mel[:, :frames], dtype=numpy.float32)
        self.seconds = frames * hop / rate
        plan = fast_plan() if which == "diffwave" else angle_plan(self.config["steps"], self.config["eta"])
        rows = 1 + sum(1 for _, c, _ in plan if c[2])
        noise = numpy.random.default_rng(0).standard_normal((rows, frames * hop), dtype=numpy.float32)
        self.mel, self.noise = torch.from_numpy(mel)[None], torch.from_numpy(noise)
        self.mel_raw, self.noise_raw = self.folder / "mel.raw", self.folder / "noise.raw"
        self.mel_npy, self.noise_npy = self.folder / "mel.npy", self.folder / "noise.npy"
        mel.tofile(self.mel_raw)
        noise.tofile(self.noise_raw)
        numpy.save(self.mel_npy, mel[None])
        numpy.save(self.noise_npy, noise)
        self.network = Network(self.config, weights, plan, frames).eval()

    def export(self):
        """The process as one graph, and one evaluation of the network as one graph."""
        self.onnx = {mode: self.folder / f"{mode}.onnx" for mode in ("whole", "step")}
        terms = [self.network.w(f"step.0.{l}") for l in range(self.network.count)]
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(self.network, (self.mel, self.noise), str(self.onnx["whole"]), opset_version=13,
                              input_names=["mel", "noise"], output_names=["samples"])
            torch.onnx.export(Evaluation(self.network), (self.mel, self.noise[0], *terms), str(self.onnx["step"]),
                              opset_version=13, input_names=["mel", "x"] + [f"step{l}" for l in range(len(terms))],
                              output_names=["u"])
        self.plan = self.folder / "plan.json"
        self.plan.write_text(json.dumps([
            {"coefficients": [*c, clamp],
             "terms": [self.network.w(f"step.{k}.{l}").flatten().tolist() for l in range(len(terms))]}
            for k, (c, clamp) in enumerate(self.network.coefficients)]))


def difference(output, reference):
    """dB by which the difference is below the signal, where lull's limiter leaves the signal alone."""
    inside = numpy.abs(reference) < 0.97
    error = ((output - reference)[inside].astype(float) ** 2).sum()
    return 10 * math.log10((reference[inside].astype(float) ** 2).sum() / error) if error else math.inf


def measure(which, arguments, folder, results):
    job = Job(which, arguments, folder)
    if arguments.onnxruntime:
        job.export()
    for threads in arguments.threads:
        peers = {}
        for kind in arguments.precisions:
            peers["lull", kind] = Lull(job, arguments.lull, kind, threads)
            for traced in (False, True):
                name = "PyTorch, traced" if traced else "PyTorch"
                peers[name, kind] = Torch(job.network, job.mel, job.noise, kind, threads, traced)
        if arguments.onnxruntime:
            for mode, name in (("step", "onnxruntime"), ("whole", "onnxruntime, one graph")):
                peers[name, "float32"] = Onnxruntime(job, threads, arguments.onnxruntime, mode)
        reference = peers["PyTorch", "float32"].output
        snr = {key: difference(peer.output, reference) for key, peer in peers.items()}
        for key, value in snr.items():
            if value < (80 if key[1] == "float32" else 5):
                raise SystemExit(f"compare_peers.py: {which}: the output of {key} is only {value:.1f} dB from PyTorch's: "
                                 "not the same computation")
        times = {key: [] for key in peers}
        for _ in range(arguments.rounds):
            for key, peer in peers.items():
                times[key].append(peer.run())
        for peer in peers.values():
            if isinstance(peer, Onnxruntime):
                peer.close()
        results.append(report(which, job, threads, times, snr, arguments))


def report(which, job, threads, times, snr, arguments):
    measure_of = 1 if arguments.by_cpu else 0
    middle = {k: statistics.median(t[measure_of] for t in v) / job.seconds for k, v in times.items()}
    others = {k: v for k, v in middle.items() if k[0] != "lull"}
    best = min(others, key=others.get)
    clock = "processor" if arguments.by_cpu else "wall-clock"
    print(f"\n{job.config['name']}, {job.seconds:.2f} s of audio, {threads} thread{'s' if threads > 1 else ''}: "
          f"{clock} seconds for one second of audio, median of {arguments.rounds} (range); ratio to the best peer, "
          f"{best[0]} in {best[1]}")
    rows = []
    for key, value in sorted(middle.items(), key=lambda item: item[1]):
        each = [t[measure_of] / job.seconds for t in times[key]]
        ratio = others[best] / value
        print(f"  {ratio:6.2f}×  {key[0]:22} {key[1]:9} {value:8.4f}  ({min(each):.4f} - {max(each):.4f})   "
              f"differs by {snr[key]:6.1f} dB less than the signal")
        rows.append(dict(program=key[0], precision=key[1], seconds=value, ratio=ratio, least=min(each), most=max(each),
                         difference_db=min(snr[key], 999), wall=[t[0] for t in times[key]],
                         cpu=[t[1] for t in times[key]]))
    sys.stdout.flush()
    return dict(network=which, threads=threads, audio_seconds=job.seconds, by=clock, rows=rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lull", default=str(ROOT / "build/lull"), help="the program")
    parser.add_argument("--model", default=str(ROOT / "models/lull-speech-22k.safetensors"), help="of the default network")
    parser.add_argument("--input", default=str(ROOT / "audio_samples/weasels.wav"), help="a recording")
    parser.add_argument("--onnxruntime", metavar="FOLDER", help="where npm installed onnxruntime-node (default: left out)")
    parser.add_argument("--networks", default="diffwave,lull")
    parser.add_argument("--precisions", default="float32,bfloat16",
                        help="float32 is the reference; without a CPU that multiplies bfloat16 it takes PyTorch minutes")
    parser.add_argument("--threads", default="1,2", help="numbers of threads, with commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, help="of audio (default: 0.5 for DiffWave, 4 for the default model)")
    parser.add_argument("--by-cpu", action="store_true", help="compare processor time, not wall-clock (busy machine)")
    parser.add_argument("--json", metavar="FILE", help="write the figures there")
    arguments = parser.parse_args()
    arguments.precisions = ["float32"] + [p for p in arguments.precisions.split(",") if p != "float32"]
    arguments.threads = [int(n) for n in arguments.threads.split(",")]
    results = []
    print(f"PyTorch {torch.__version__}, {torch.backends.mkldnn.is_available() and 'with' or 'without'} oneDNN")
    with tempfile.TemporaryDirectory(prefix="lull-peers-") as folder:
        for which in arguments.networks.split(","):
            measure(which, arguments, pathlib.Path(folder), results)
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
