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

void mel_conventions_of_bands(int bands, char *text, size_t size) {
    const char *found[3] = {0};
    int count = 0;
    for (int i = 0; i < ROWS && count < 3; i++)
        if (rows[i].bands == bands) found[count++] = rows[i].name;
    snprintf(text, size, "%s%s%s%s%s", count > 0 ? found[0] : "",
             count == 3   ? ", "
             : count == 2 ? " or "
                          : "",
             count > 1 ? found[1] : "", count == 3 ? " or " : "", count == 3 ? found[2] : "");
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
    if (sample_rate != 0 && (sample_rate < MEL_LEAST_RATE || sample_rate > MEL_MOST_RATE))
        return base_fail(error, LULL_INVALID, "sample rate %d: expected %d to %d Hz", sample_rate,
                         MEL_LEAST_RATE, MEL_MOST_RATE);
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

static bool has_statistics(const void *convention) {
    return ((const mel_convention *)convention)->statistics;
}

const char *const mel_scale_names[] = {"slaney", "htk", NULL};
/* The last is what files of earlier versions say for log10 with a gain of 0.2, an offset of 0.8 and
 * bounds of 0 and 1: mel_convention_modernize. */
const char *const mel_compression_names[] = {"ln", "log10", "linear", "diffwave", NULL};
static const char *const norms[] = {"slaney", "none", NULL};
static const char *const paddings[] = {"reflect", "zeros", NULL};

#define INT(field, ...) MEMBER_INT(mel_convention, field, #field, __VA_ARGS__)
#define NUMBER(field, ...) MEMBER_NUMBER(mel_convention, field, #field, __VA_ARGS__)
#define BOOL(field, ...) MEMBER_BOOL(mel_convention, field, #field, __VA_ARGS__)
#define NAME(field, ...) MEMBER_NAME(mel_convention, field, #field, __VA_ARGS__)
#define STATISTICS(field, least_, help_)                                                           \
    {                                                                                              \
        .name = #field, .kind = MEMBER_KIND_FLOATS, .offset = offsetof(mel_convention, field),     \
        .least = least_, .most = 1e30, .capacity = MEL_MAX_BANDS,                                  \
        .count = offsetof(mel_convention, bands), .shown = has_statistics, .help = help_           \
    }

const member mel_convention_members[] = {
    MEMBER_TEXT(mel_convention, name, "convention", "hifigan",
                "its name, which brings all the other numbers"),
    INT(sample_rate, MEL_LEAST_RATE, MEL_MOST_RATE, "22050", "of the recordings, Hz"),
    INT(n_fft, 16, MEL_MAX_FFT, "1024", "samples of a transform; even"),
    INT(window, 4, MEL_MAX_FFT, "1024", "samples of the Hann window in it"),
    INT(hop, 1, MEL_MAX_FFT, "256", "samples from frame to frame"),
    INT(bands, 1, MEL_MAX_BANDS, "80", "numbers in a frame"),
    NUMBER(fmin, 0, MEL_MOST_RATE / 2, "0", "where the lowest band begins, Hz"),
    NUMBER(fmax, 1, MEL_MOST_RATE / 2, "8000", "where the highest band ends, Hz"),
    NAME(scale, mel_scale_names, "slaney", "where the edges of the filters lie"),
    NAME(norm, norms, "slaney", "of the filters: equal areas, or equal peaks"),
    INT(filter_rate, 0, MEL_MOST_RATE, "0",
        "rate that the filters were made for, Hz; 0: sample_rate"),
    BOOL(centred, "false", "frame f is centred at f * hop, not at (f + 1/2) * hop"),
    NAME(padding, paddings, "reflect", "of both ends"),
    NUMBER(magnitude_epsilon, 0, 1, "1e-9", "added to squared magnitudes before the root"),
    BOOL(normalized_window, "false", "magnitudes are divided by the root of the window's energy"),
    INT(power, 1, 2, "1", "of the magnitudes that the filters sum"),
    NUMBER(floor, 1e-30, 1, "1e-5", "least value before the logarithm"),
    BOOL(floor_added, "false", "the floor is added, not a clamp"),
    NAME(compression, mel_compression_names, "ln", "the logarithm"),
    NUMBER(gain, -1e6, 1e6, "1", "value = gain * logarithm + offset; not 0"),
    NUMBER(offset, -1e6, 1e6, "0", "added to it"),
    NUMBER(clip_low, -1e9, 1e9, "0", "lower bound of that value, when below clip_high"),
    NUMBER(clip_high, -1e9, 1e9, "0", "its upper bound"),
    STATISTICS(mean, -1e30, "of every band: subtracted from it"),
    STATISTICS(deviation, 1e-30, "of every band: it is divided by it"),
    {0},
};

void mel_convention_modernize(mel_convention *c) {
    if (strcmp(mel_compression_names[c->compression], "diffwave") != 0) return;
    c->compression = MEL_COMPRESS_LOG10;
    c->gain = 0.2;
    c->offset = 0.8;
    c->clip_low = 0;
    c->clip_high = 1;
}

static lull_status check_sizes(const mel_convention *c, lull_error *error) {
    if (c->n_fft % 2 != 0)
        return base_fail(error, LULL_INVALID, "mel convention: n_fft %d, expected an even number",
                         c->n_fft);
    if (c->window > c->n_fft)
        return base_fail(error, LULL_INVALID, "mel convention: window %d, expected 4 to n_fft (%d)",
                         c->window, c->n_fft);
    if (c->hop > c->window)
        return base_fail(error, LULL_INVALID,
                         "mel convention: hop %d, expected 1 to the window (%d)", c->hop,
                         c->window);
    if (!c->centred && (c->n_fft - c->hop) % 2 != 0)
        return base_fail(error, LULL_INVALID,
                         "mel convention: n_fft - hop is odd (%d - %d), so that frames would begin "
                         "between samples; expected an even hop, or a centred convention",
                         c->n_fft, c->hop);
    if (!(c->fmin < c->fmax && c->fmax <= c->sample_rate / 2.0))
        return base_fail(
            error, LULL_INVALID,
            "mel convention: fmin %g and fmax %g Hz, expected 0 <= fmin < fmax <= half the "
            "sample rate (%g Hz)",
            c->fmin, c->fmax, c->sample_rate / 2.0);
    return LULL_OK;
}

static lull_status check_values(const mel_convention *c, lull_error *error) {
    if (c->compression > MEL_COMPRESS_LINEAR)
        return base_fail(error, LULL_INVALID, "mel convention: unknown compression %d",
                         (int)c->compression);
    if (c->filter_rate != 0 && c->filter_rate < MEL_LEAST_RATE)
        return base_fail(error, LULL_INVALID,
                         "mel convention: filter_rate %d, expected %d to %d Hz, or 0 for the "
                         "sample rate",
                         c->filter_rate, MEL_LEAST_RATE, MEL_MOST_RATE);
    if (fabs(c->gain) < 1e-6)
        return base_fail(error, LULL_INVALID, "mel convention: gain %g, expected 1e-6 to 1e6",
                         c->gain);
    if (c->clip_low > c->clip_high)
        return base_fail(error, LULL_INVALID,
                         "mel convention: clip_low %g and clip_high %g, expected the first below "
                         "the second, or both 0",
                         c->clip_low, c->clip_high);
    return LULL_OK;
}

lull_status mel_convention_check(const mel_convention *c, lull_error *error) {
    lull_status status = members_check(mel_convention_members, c, "mel convention", error);
    if (!status) status = check_sizes(c, error);
    return status ? status : check_values(c, error);
}

int mel_convention_first_centre(const mel_convention *convention) {
    return convention->centred ? 0 : convention->hop / 2;
}

const char *mel_values_name(mel_values values) {
    static const char *const names[] = {"ln",       "log10",       "db",       "linear",
                                        "ln-power", "log10-power", "power-db", "power"};
    return values >= 0 && values < MEL_VALUES ? names[values] : NULL;
}

void mel_convention_set_values(mel_convention *convention, mel_values values) {
    static const struct {
        mel_compression compression;
        double gain;
        int power;
    } of[] = {{MEL_COMPRESS_LN, 1, 1},     {MEL_COMPRESS_LOG10, 1, 1}, {MEL_COMPRESS_LOG10, 20, 1},
              {MEL_COMPRESS_LINEAR, 1, 1}, {MEL_COMPRESS_LN, 1, 2},    {MEL_COMPRESS_LOG10, 1, 2},
              {MEL_COMPRESS_LOG10, 10, 2}, {MEL_COMPRESS_LINEAR, 1, 2}};
    mel_convention *c = convention;
    const double power = (double)of[values].power / c->power;
    c->compression = of[values].compression;
    c->gain = of[values].gain;
    c->offset = c->clip_low = c->clip_high = 0;
    c->floor = fmax(pow(c->floor, power), 1e-30);
    c->power = of[values].power;
    c->floor_added = c->statistics = false;
}

void mel_convention_set_range(mel_convention *convention, double low, double high, double least,
                              double most) {
    const double factor = (high - low) / (most - least);
    convention->offset = low + (convention->offset - least) * factor;
    convention->gain *= factor;
    convention->clip_low = convention->clip_high = 0;
}
