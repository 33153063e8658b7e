/* The mel conventions that lull knows by name. */
#include "mel/convention.h"

#include "base/error.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Numbers of a row; what it leaves out is as in `usual` below. fmax 0: half the sample rate. */
typedef struct row {
    const char *name, *alias, *writers;
    int rate, n_fft, window, hop, bands;
    double fmin, fmax;
    mel_scale scale;
    mel_norm norm;
    bool centred;
    double epsilon, floor;
    mel_compression compression;
    int power, filter_rate;
    bool normalized_window, floor_added;
    double gain, offset, clip_low, clip_high;
} row;

/* HiFi-GAN's meldataset.py (ends mirrored by (n_fft − hop)/2, 1e-9 under the root), which BigVGAN,
 * Matcha's audio.py and through it CosyVoice, Seed-VC and Chatterbox took over. */
#define LIKE_HIFIGAN                                                                               \
    .scale = MEL_SCALE_SLANEY, .norm = MEL_NORM_SLANEY, .floor = 1e-5,                             \
    .compression = MEL_COMPRESS_LN
/* What librosa.stft and librosa.filters.mel do when nothing else is asked for. */
#define LIKE_LIBROSA                                                                               \
    .scale = MEL_SCALE_SLANEY, .norm = MEL_NORM_SLANEY, .centred = true,                           \
    .compression = MEL_COMPRESS_LOG10
/* torchaudio.transforms.MelSpectrogram, likewise. */
#define LIKE_TORCHAUDIO .scale = MEL_SCALE_HTK, .norm = MEL_NORM_NONE, .centred = true

static const row rows[] = {
    {"hifigan-22k", "hifigan", "HiFi-GAN, Matcha-TTS, Grad-TTS and most that follow them", 22050,
     1024, 1024, 256, 80, 0, 8000, LIKE_HIFIGAN, .epsilon = 1e-9},
    {"hifigan-16k", NULL, "the same at 16 kHz", 16000, 1024, 1024, 256, 80, 0, 8000, LIKE_HIFIGAN,
     .epsilon = 1e-9},
    {"tacotron2-22k", "tacotron2", "Tacotron 2, FastPitch, WaveGlow", 22050, 1024, 1024, 256, 80, 0,
     8000, LIKE_HIFIGAN, .epsilon = 1e-9, .centred = true},
    {"vocos-24k", NULL, "Vocos, F5-TTS (floor 1e-5)", 24000, 1024, 1024, 256, 100, 0, 0,
     LIKE_TORCHAUDIO, .floor = 1e-7, .compression = MEL_COMPRESS_LN},
    {"bigvgan-24k", NULL, "BigVGAN, GPT-SoVITS v3", 24000, 1024, 1024, 256, 100, 0, 0, LIKE_HIFIGAN,
     .epsilon = 1e-9},
    {"cosyvoice2-24k", NULL, "CosyVoice 2, Chatterbox (CosyVoice 3: fmax 12000)", 24000, 1920, 1920,
     480, 80, 0, 8000, LIKE_HIFIGAN, .epsilon = 1e-9},
    {"seedvc-22k", NULL, "Seed-VC, IndexTTS2", 22050, 1024, 1024, 256, 80, 0, 0, LIKE_HIFIGAN,
     .epsilon = 1e-9},
    /* Its MelSpectrogram was not told of the 24 kHz: filters for 16 kHz, the default. */
    {"styletts2-24k", NULL, "StyleTTS 2", 24000, 2048, 1200, 300, 80, 0, 0, LIKE_TORCHAUDIO,
     .floor = 1e-5, .floor_added = true, .compression = MEL_COMPRESS_LN, .power = 2,
     .filter_rate = 16000, .gain = 0.25, .offset = 1},
    {"speecht5-16k", NULL, "SpeechT5", 16000, 1024, 1024, 256, 80, 80, 7600, LIKE_LIBROSA,
     .floor = 1e-10},
    {"parallelwavegan-24k", "parallelwavegan", "ParallelWaveGAN, ESPnet, TensorFlowTTS", 24000,
     2048, 1200, 300, 80, 80, 7600, LIKE_LIBROSA, .floor = 1e-10},
    {"parallelwavegan-22k", NULL, "the same at 22.05 kHz", 22050, 1024, 1024, 256, 80, 80, 7600,
     LIKE_LIBROSA, .floor = 1e-10},
    /* 8·((20·log10 m − 20 + 100)/100) − 4, held in ±4. */
    {"coqui-22k", NULL, "Coqui TTS as its defaults are", 22050, 1024, 1024, 256, 80, 0, 0,
     LIKE_LIBROSA, .floor = 1e-5, .gain = 1.6, .offset = 2.4, .clip_low = -4, .clip_high = 4},
    {"diffsinger-44k", NULL, "DiffSinger of OpenVPI (log10: --from log10)", 44100, 2048, 2048, 512,
     128, 40, 16000, LIKE_HIFIGAN},
    /* (20·log10 m − 20 + 100)/100, held in [0, 1]. */
    {"diffwave-22k", "diffwave", "lmnt's DiffWave", 22050, 1024, 1024, 256, 80, 20, 0,
     LIKE_TORCHAUDIO, .floor = 1e-5, .compression = MEL_COMPRESS_LOG10, .normalized_window = true,
     .gain = 0.2, .offset = 0.8, .clip_low = 0, .clip_high = 1},
};

enum { ROWS = sizeof rows / sizeof *rows };

const char *mel_convention_name_at(int i, const char **writers, const char **alias) {
    if (i < 0 || i >= ROWS) return NULL;
    if (writers) *writers = rows[i].writers;
    if (alias) *alias = rows[i].alias;
    return rows[i].name;
}

static const row *find_row(const char *name, int rate) {
    /* Below 24 kHz its published configurations are those of 22.05 kHz. */
    if (strcmp(name, "parallelwavegan") == 0 && rate != 0 && rate < 24000)
        name = "parallelwavegan-22k";
    for (int i = 0; i < ROWS; i++)
        if (strcmp(name, rows[i].name) == 0 || (rows[i].alias && strcmp(name, rows[i].alias) == 0))
            return &rows[i];
    return NULL;
}

static void fill(mel_convention *c, const row *r, int rate) {
    const double half = (rate ? rate : r->rate) / 2.0;
    *c = (mel_convention){.sample_rate = rate ? rate : r->rate,
                          .n_fft = r->n_fft,
                          .window = r->window,
                          .hop = r->hop,
                          .bands = r->bands,
                          .fmin = r->fmin,
                          .fmax = r->fmax > 0 ? fmin(r->fmax, half) : half,
                          .scale = r->scale,
                          .norm = r->norm,
                          .filter_rate = r->filter_rate,
                          .centred = r->centred,
                          .magnitude_epsilon = r->epsilon,
                          .normalized_window = r->normalized_window,
                          .power = r->power ? r->power : 1,
                          .floor = r->floor,
                          .floor_added = r->floor_added,
                          .compression = r->compression,
                          .gain = r->gain != 0 ? r->gain : 1,
                          .offset = r->offset,
                          .clip_low = r->clip_low,
                          .clip_high = r->clip_high};
}

static lull_status unknown(const char *name, lull_error *error) {
    char known[320] = "";
    size_t at = 0;
    for (int i = 0; i < ROWS && at < sizeof known; i++)
        at += (size_t)snprintf(known + at, sizeof known - at, "%s%s",
                               i == 0          ? ""
                               : i + 1 == ROWS ? " or "
                                               : ", ",
                               rows[i].name);
    return base_fail(error, LULL_INVALID, "unknown mel convention '%.60s': expected %s", name,
                     known);
}

lull_status mel_convention_named(const char *name, int sample_rate, mel_convention *convention,
                                 lull_error *error) {
    memset(convention, 0, sizeof *convention);
    if (sample_rate != 0 && (sample_rate < 1000 || sample_rate > 768000))
        return base_fail(error, LULL_INVALID, "sample rate %d: expected 1000 to 768000 Hz",
                         sample_rate);
    const row *r = find_row(name, sample_rate);
    if (!r) return unknown(name, error);
    fill(convention, r, sample_rate);
    snprintf(convention->name, sizeof convention->name, "%s", name);
    return LULL_OK;
}

double mel_convention_filter_factor(const mel_convention *convention) {
    return convention->filter_rate > 0 ? (double)convention->filter_rate / convention->sample_rate
                                       : 1.0;
}

bool mel_convention_clips(const mel_convention *convention) {
    return convention->clip_low < convention->clip_high;
}

/* The two halves of the comparison: what makes frames, and what makes their numbers. */
static const char *frames_difference(const mel_convention *a, const mel_convention *b) {
    if (a->sample_rate != b->sample_rate) return "sample_rate";
    if (a->n_fft != b->n_fft) return "n_fft";
    if (a->window != b->window) return "window";
    if (a->hop != b->hop) return "hop";
    if (a->bands != b->bands) return "bands";
    if (a->fmin != b->fmin) return "fmin";
    if (a->fmax != b->fmax) return "fmax";
    if (a->scale != b->scale) return "scale";
    if (mel_convention_filter_factor(a) != mel_convention_filter_factor(b)) return "filter_rate";
    if (a->centred != b->centred) return "centred";
    if (a->power != b->power) return "power";
    return NULL;
}

bool mel_convention_same_frames(const mel_convention *a, const mel_convention *b) {
    return frames_difference(a, b) == NULL;
}

static const char *values_difference(const mel_convention *a, const mel_convention *b) {
    if (a->norm != b->norm) return "norm";
    if (a->padding != b->padding) return "padding";
    if (a->magnitude_epsilon != b->magnitude_epsilon) return "magnitude_epsilon";
    if (a->normalized_window != b->normalized_window) return "normalized_window";
    if (a->floor != b->floor) return "floor";
    if (a->floor_added != b->floor_added) return "floor_added";
    if (a->compression != b->compression) return "compression";
    if (a->gain != b->gain) return "gain";
    if (a->offset != b->offset) return "offset";
    if (a->clip_low != b->clip_low) return "clip_low";
    if (a->clip_high != b->clip_high) return "clip_high";
    if (a->statistics != b->statistics) return "mean";
    const size_t size = (size_t)a->bands * sizeof(float);
    if (a->statistics && memcmp(a->mean, b->mean, size) != 0) return "mean";
    if (a->statistics && memcmp(a->deviation, b->deviation, size) != 0) return "deviation";
    return NULL;
}

const char *mel_convention_difference(const mel_convention *a, const mel_convention *b) {
    const char *difference = frames_difference(a, b);
    return difference ? difference : values_difference(a, b);
}

static lull_status check_sizes(const mel_convention *c, lull_error *error) {
    if (c->sample_rate < 1000 || c->sample_rate > 768000)
        return base_fail(error, LULL_INVALID,
                         "mel convention: sample rate %d, expected 1000 to 768000 Hz",
                         c->sample_rate);
    if (c->n_fft < 16 || c->n_fft > MEL_MAX_FFT || c->n_fft % 2 != 0)
        return base_fail(error, LULL_INVALID,
                         "mel convention: n_fft %d, expected an even number from 16 to %d",
                         c->n_fft, MEL_MAX_FFT);
    if (c->window < 4 || c->window > c->n_fft)
        return base_fail(error, LULL_INVALID, "mel convention: window %d, expected 4 to n_fft (%d)",
                         c->window, c->n_fft);
    if (c->hop < 1 || c->hop > c->window)
        return base_fail(error, LULL_INVALID,
                         "mel convention: hop %d, expected 1 to the window (%d)", c->hop,
                         c->window);
    if (!c->centred && (c->n_fft - c->hop) % 2 != 0)
        return base_fail(error, LULL_INVALID,
                         "mel convention: n_fft - hop is odd (%d - %d), so that frames would begin "
                         "between samples; expected an even hop, or a centred convention",
                         c->n_fft, c->hop);
    if (c->bands < 1 || c->bands > MEL_MAX_BANDS)
        return base_fail(error, LULL_INVALID, "mel convention: %d bands, expected 1 to %d",
                         c->bands, MEL_MAX_BANDS);
    return LULL_OK;
}

static lull_status check_kinds(const mel_convention *c, lull_error *error) {
    const struct {
        const char *what;
        int value, most;
    } kinds[] = {{"mel scale", (int)c->scale, MEL_SCALE_HTK},
                 {"norm", (int)c->norm, MEL_NORM_NONE},
                 {"padding", (int)c->padding, MEL_PADDING_ZEROS},
                 {"compression", (int)c->compression, MEL_COMPRESS_LINEAR}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].value < 0 || kinds[i].value > kinds[i].most)
            return base_fail(error, LULL_INVALID, "mel convention: unknown %s %d", kinds[i].what,
                             kinds[i].value);
    if (c->power != 1 && c->power != 2)
        return base_fail(error, LULL_INVALID,
                         "mel convention: power %d, expected 1 (amplitudes) or 2", c->power);
    if (c->filter_rate != 0 && (c->filter_rate < 1000 || c->filter_rate > 768000))
        return base_fail(error, LULL_INVALID,
                         "mel convention: filter_rate %d, expected 1000 to 768000 Hz, or 0 for the "
                         "sample rate",
                         c->filter_rate);
    return LULL_OK;
}

static lull_status check_values(const mel_convention *c, lull_error *error) {
    if (!(fabs(c->gain) >= 1e-6 && fabs(c->gain) <= 1e6) || !(fabs(c->offset) <= 1e6))
        return base_fail(
            error, LULL_INVALID,
            "mel convention: gain %g and offset %g, expected a gain of 1e-6 to 1e6 and "
            "an offset within 1e6",
            c->gain, c->offset);
    if (!(fabs(c->clip_low) <= 1e9 && fabs(c->clip_high) <= 1e9 && c->clip_low <= c->clip_high))
        return base_fail(error, LULL_INVALID,
                         "mel convention: clip_low %g and clip_high %g, expected the first below "
                         "the second, or both 0",
                         c->clip_low, c->clip_high);
    return LULL_OK;
}

lull_status mel_convention_check(const mel_convention *c, lull_error *error) {
    lull_status status = check_sizes(c, error);
    if (status) return status;
    if (!(c->fmin >= 0 && c->fmin < c->fmax && c->fmax <= c->sample_rate / 2.0))
        return base_fail(
            error, LULL_INVALID,
            "mel convention: fmin %g and fmax %g Hz, expected 0 <= fmin < fmax <= half the "
            "sample rate (%g Hz)",
            c->fmin, c->fmax, c->sample_rate / 2.0);
    status = check_kinds(c, error);
    if (!status) status = check_values(c, error);
    if (status) return status;
    if (!(c->floor >= 1e-30 && c->floor <= 1))
        return base_fail(error, LULL_INVALID, "mel convention: floor %g, expected 1e-30 to 1",
                         c->floor);
    if (!(c->magnitude_epsilon >= 0 && c->magnitude_epsilon <= 1))
        return base_fail(error, LULL_INVALID,
                         "mel convention: magnitude epsilon %g, expected 0 to 1",
                         c->magnitude_epsilon);
    for (int b = 0; c->statistics && b < c->bands; b++)
        if (!isfinite(c->mean[b]) || !isfinite(c->deviation[b]) || c->deviation[b] <= 0)
            return base_fail(
                error, LULL_INVALID,
                "mel convention: band %d has mean %g and deviation %g, expected finite "
                "numbers and a positive deviation",
                b, (double)c->mean[b], (double)c->deviation[b]);
    return LULL_OK;
}

int mel_convention_first_centre(const mel_convention *convention) {
    return convention->centred ? 0 : convention->hop / 2;
}
