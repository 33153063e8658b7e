/* lull: a diffusion vocoder. Mel frames in, speech samples out.
 *
 * The whole loop of use:
 *
 *     lull_error error;
 *     lull_model *model = NULL;
 *     lull_vocoder *vocoder = NULL;
 *     if (lull_model_open("lull-speech-22k.safetensors", &model, &error)) goto fail;
 *     if (lull_vocoder_new(model, NULL, &vocoder, &error)) goto fail;
 *     const lull_model_info *info = lull_model_get_info(model);
 *     for (each batch of n frames, n × info->bands floats) {
 *         size_t accepted = 0, produced = 0;
 *         while (n > 0) {
 *             if (lull_vocoder_push(vocoder, frames, n, &accepted, &error)) goto fail;
 *             frames += accepted * info->bands, n -= accepted;
 *             do {
 *                 if (lull_vocoder_pull(vocoder, samples, 4096, &produced, &error)) goto fail;
 *                 use(samples, produced);
 *             } while (produced > 0);
 *         }
 *     }
 *     lull_vocoder_finish(vocoder);
 *     … pull until lull_vocoder_ended(vocoder) …
 *
 * Conventions. Every function that can fail returns a lull_status; LULL_OK is 0. Where it takes a
 * `lull_error *`, that may be NULL; otherwise, on failure, it holds the status and one line of text
 * that names what was found, what was expected and what to do. The library never prints, exits or
 * aborts, with one exception: built with FFTW (-Dfft=fftw), it cannot help that FFTW ends the
 * process when one of its own allocations fails while a vocoder is made; the library asks for 4 MB
 * before, and fails with LULL_NO_MEMORY where they are not there. Built with -Dfft=plain, there is no
 * such case. Nothing here keeps a pointer that the caller gave, unless its comment says so. Threads
 * that call it want 64 KiB of stack. docs/embedding.md is the guide: threads, waiting, bounded
 * work, memory, latency.
 *
 * After fork a child may free what it inherited (and go on with one thread); it is the child's
 * alone.
 */
#ifndef LULL_H
#define LULL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The version of this header; lull_version is the library's. CONTRIBUTING.md says what may change
 * with which number, and when a program has to be built again. */
#define LULL_VERSION_MAJOR 0
#define LULL_VERSION_MINOR 2
#define LULL_VERSION_PATCH 0

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define LULL_API __attribute__((visibility("default")))
#else
#define LULL_API
#endif

/* ---- status ------------------------------------------------------------------------------- */

typedef enum lull_status {
    LULL_OK = 0,
    LULL_INVALID,    /* an argument or option out of its range */
    LULL_NO_MEMORY,  /* an allocation failed, or would exceed a limit that was set */
    LULL_IO,         /* a file or device could not be read or written; the message has the reason */
    LULL_FORMAT,     /* a file is not what its format demands, or is truncated */
    LULL_MISMATCH,   /* well-formed, but not for this model: band count, mel convention, rate */
    LULL_NOT_FINITE, /* NaN or infinity in the input */
    LULL_UNSUPPORTED, /* valid, but not done by this build or machine */
    LULL_FINISHED     /* push after finish */
} lull_status;

enum { LULL_MESSAGE_SIZE = 512 };

/* What went wrong. `message` is one line of UTF-8 without a newline. */
typedef struct lull_error {
    lull_status status;
    char message[LULL_MESSAGE_SIZE];
} lull_error;

/* A short constant name of a status ("out of memory"). Never NULL; owned by the library. */
LULL_API const char *lull_strerror(lull_status status);

/* The library's version, "1.0.0". Owned by the library. */
LULL_API const char *lull_version(void);

/* ---- model -------------------------------------------------------------------------------- */

/* A model file in memory: immutable once open, so any number of vocoders, on any threads, may use
 * one model at the same time. */
typedef struct lull_model lull_model;

/* What a model is. Owned by the model; valid until lull_model_close. */
typedef struct lull_model_info {
    const char *name;          /* "lull-speech-22k" */
    const char *family;        /* "lull" or "diffwave" */
    const char *objective;     /* "v", "noise", "flow" or "data" */
    const char *convention;    /* name of the mel convention: "hifigan", "tacotron2", … */
    const char *licence;       /* SPDX expression of the weights, "" when the file does not say */
    int sample_rate;           /* of the output, Hz */
    int bands;                 /* floats in a mel frame */
    int hop;                   /* samples that a mel frame becomes */
    int n_fft;                 /* analysis window of the mel, samples */
    int default_steps;         /* reverse diffusion steps of LULL_LIVE when the options say 0 */
    int default_refine;        /* its rounds of refinement when the options say -1 */
    int default_refine_window; /* their window in frames when the options say -1 */
    size_t parameters;         /* number of weights */
    double flops_per_second; /* floating-point operations of the networks in a second of audio with
                                default_steps */

    /* The rest of the mel convention, in the order in which it acts (docs/formats.md): frames of
     * `window` samples (Hann) in transforms of n_fft, magnitudes √(re² + im² + magnitude_epsilon),
     * to `power`, through `bands` filters, a logarithm above `floor`, times gain, plus offset. */
    int window;                    /* samples */
    bool centred;                  /* frame f is centred at f·hop, else at (f + ½)·hop */
    const char *padding;           /* of both ends: "reflect" or "zeros" */
    double magnitude_epsilon;      /* 0: none */
    bool normalized_window;        /* magnitudes divided by √Σ window² */
    int power;                     /* of the magnitudes that the filters sum: 1 or 2 */
    double fmin, fmax;             /* Hz */
    const char *scale;             /* of the filters' edges: "slaney" or "htk" */
    const char *norm;              /* "slaney": filters of area 1 over Hz; "none": peaks of 1 */
    int filter_rate;               /* the rate that the filters were made for; 0: sample_rate */
    double floor;                  /* what a mel is at least … */
    bool floor_added;              /* … or what is added to it */
    const char *compression;       /* "ln", "log10" or "linear" */
    double gain, offset;           /* value = gain·logarithm + offset */
    double clip_low, clip_high;    /* bounds of that value; equal: none */
    const float *mean, *deviation; /* then (value − mean)/deviation, `bands` of each; NULL: not */
} lull_model_info;

/* Opens a model file (safetensors, docs/formats.md). On success *model is the caller's, to be given
 * to lull_model_close. Errors: LULL_IO, LULL_FORMAT, LULL_UNSUPPORTED, LULL_NO_MEMORY. */
LULL_API lull_status lull_model_open(const char *path, lull_model **model, lull_error *error);

/* The same from a buffer of `size` bytes, which may be freed after the call. `name` stands for the
 * path in messages. */
LULL_API lull_status lull_model_open_memory(const void *data, size_t size, const char *name,
                                            lull_model **model, lull_error *error);

/* Frees a model. All its vocoders must have been freed. NULL is allowed. */
LULL_API void lull_model_close(lull_model *model);

/* What a model is; NULL for NULL. */
LULL_API const lull_model_info *lull_model_get_info(const lull_model *model);

/* ---- conventions -------------------------------------------------------------------------- */

/* How mels were made is said by a text: a name ("vocos-24k"; `lull info --conventions` lists them)
 * or JSON with the members that `lull info --json` prints (docs/formats.md), statistics among them.
 * What such a text comes to: */
typedef struct lull_convention_info {
    char name[32];
    int sample_rate, bands, hop, n_fft;
} lull_convention_info;

/* Errors: LULL_INVALID (no such name; the message lists them), LULL_FORMAT (JSON). */
LULL_API lull_status lull_convention_find(const char *convention, lull_convention_info *info,
                                          lull_error *error);

/* ---- vocoder ------------------------------------------------------------------------------ */

/* Threads that several vocoders share: at most `threads` of them work at a time, however many
 * vocoders there are. A pull takes one of the places (and waits for one, first come, first served),
 * and what other places are idle help it. */
typedef struct lull_pool lull_pool;

/* threads: 1 to 1024; 0 = as many as the processors that the process may use. Errors: LULL_INVALID,
 * LULL_NO_MEMORY, LULL_UNSUPPORTED (the system does not start that many). */
LULL_API lull_status lull_pool_new(int threads, lull_pool **pool, lull_error *error);

/* How many threads it has: of 0, what that came to. 0 for NULL. */
LULL_API int lull_pool_threads(const lull_pool *pool);

/* Stops the threads. All vocoders that use it must have been freed. NULL is allowed. */
LULL_API void lull_pool_free(lull_pool *pool);

typedef enum lull_sampler {
    LULL_SAMPLER_DEFAULT = 0, /* what the model file says */
    LULL_SAMPLER_DDPM,  /* ancestral sampling over the whole training schedule (Ho et al. 2020, alg.
                           2) */
    LULL_SAMPLER_FAST,  /* DiffWave's six-step schedule (Kong et al. 2021, appendix B); noise models
                         */
    LULL_SAMPLER_DDIM,  /* Song et al. 2021, eq. 12, with eta */
    LULL_SAMPLER_EULER, /* flow matching ODE, first order */
    LULL_SAMPLER_HEUN   /* flow matching ODE, second order: two evaluations a step */
} lull_sampler;

typedef enum lull_precision {
    LULL_PRECISION_AUTO =
        0, /* bfloat16 products where the CPU multiplies them natively, else float32 */
    LULL_PRECISION_F32,
    LULL_PRECISION_BF16
} lull_precision;

/* What the synthesis is for: which of the model's settings (steps, refinement and its window) apply
 * where the options leave them open. */
typedef enum lull_use {
    LULL_LIVE = 0,    /* streaming: latency of at most 150 ms with the shipped model */
    LULL_LOW_LATENCY, /* streaming: at most 90 ms, a little less quality */
    LULL_OFFLINE      /* files: a long refinement window, the best quality */
} lull_use;

/* What stands behind the network's signal, or in its place where there is no network. */
typedef enum lull_source {
    LULL_SOURCE_DEFAULT = 0, /* what the model file says; without a model pitch where there is a
                                pitch_model */
    LULL_SOURCE_NOISE,       /* white noise alone */
    LULL_SOURCE_PITCH        /* harmonics and noise by bands, as a pitch network hears the voice in
                                the mel: above the crossover the signal is the source's */
} lull_source;

/* What is above the mel, from its fmax to 12 kHz or half the rate. */
typedef enum lull_bandwidth {
    LULL_BANDWIDTH_DEFAULT = 0, /* full where the model says so or has a bandwidth network, else
                                   the mel's */
    LULL_BANDWIDTH_MEL,         /* nothing */
    LULL_BANDWIDTH_FULL         /* what the model's bandwidth network guesses, or, where it has
                                   none, the envelope held where the mel ends; below fmax the
                                   signal stays that of LULL_BANDWIDTH_MEL. Nothing where the mel
                                   leaves less than 300 Hz open */
} lull_bandwidth;

/* How to synthesize. Start from lull_options_init and change what matters.
 *
 * Later versions append fields: a program that was built with fewer of them goes on working, what
 * it does not know keeps its default; one that was built with more of them works with an older
 * library as long as it does not change those. So every byte counts: where the compiler would leave
 * a gap or the end not be a multiple of 8 bytes, there is a `reserved` field, which stays 0. */
typedef struct lull_options {
    size_t struct_size;   /* sizeof(lull_options), set by lull_options_init */
    uint64_t seed;        /* of the noise. Default 0 */
    int steps;            /* reverse diffusion steps, 1…1000; 0 = the model's default */
    lull_sampler sampler; /* default LULL_SAMPLER_DEFAULT */
    float eta;  /* DDIM's: 0 deterministic, 1 fresh noise each step; < 0 = the model's default */
    int refine; /* rounds of refinement (mel consistency) a frame, to 1000; 0 none; -1 = the model's
                   default */
    int refine_window; /* frames kept open behind the newest, 0…256; -1 = the model's default */
    lull_use use;      /* settings for what is left open above. Default LULL_LIVE */
    int threads;       /* that run the steps side by side, 1…64. The output does not depend on
                          it. Default 1 */
    lull_precision precision; /* default LULL_PRECISION_AUTO */
    size_t queue_frames;      /* mel frames that push may run ahead of pull, to 2^24; 0 = 1024 */
    float refine_momentum;    /* of the iterations (fast Griffin-Lim's: Perraudin et al. 2013), 0 to
                                 below 1; < 0 = the model's default */
    int postnet; /* 1: mels first go through the model's postnet, which mends what acoustic models
                    blur (and adds its look-ahead to the latency); 0: they do not; -1: as the model
                    says for the use. 1 with a model that has none: LULL_UNSUPPORTED */
    uint64_t memory_limit; /* bytes that the vocoder may take (lull_vocoder_memory); above it
                              creation is refused with LULL_NO_MEMORY. 0 = 1 GiB */
    int pull_work;   /* samples of work that one pull may do at most, rounded up to what cannot be
                        divided (a patch in the network, a frame elsewhere); then pull can give less
                        than is due, and the next one goes on. To 2^30; 0 = no bound */
    int unchecked;   /* 1: push takes finite frames of any scale; 0: it refuses those that cannot be
                        of the model's convention. Default 0 */
    lull_pool *pool; /* borrowed; its threads take the place of `threads`. NULL = none */
    const char
        *convention;    /* of the frames that will come (above; read at creation alone). Colouring
                               and refinement then work in it, at its rate and hop, and the
                               networks read the frames as their own. NULL = the model's own. DiffWave
                               models read their own alone (LULL_MISMATCH) */
    lull_source source; /* default LULL_SOURCE_DEFAULT. LULL_SOURCE_PITCH with nothing that has a
                           pitch network, or with a DiffWave model: LULL_UNSUPPORTED */
    float crossover;    /* Hz, with a network and the pitch source: the signal is the network's
                           below, the source's above; from half the rate on the network's alone. A
                           network that knows a band alone (lull info says so) has one with noise
                           too, at most where its band ends. To 1e6; 0 = the model's default */
    float transpose;    /* semitones by which the source's pitch is moved, −24…24. Default 0 */
    lull_bandwidth bandwidth; /* default LULL_BANDWIDTH_DEFAULT. LULL_BANDWIDTH_FULL with a model
                                 that works on plain samples (DiffWave): LULL_UNSUPPORTED */
    const lull_model *pitch_model; /* borrowed, for as long as the vocoder lives: whose pitch
                                      network is asked. NULL = the model's own. One that has none:
                                      LULL_UNSUPPORTED, but with LULL_SOURCE_NOISE */
    int refine_low; /* rounds of refinement a frame of the band below 2.5 kHz alone, to 1000, which
                       cost a quarter of the others (below 1.85 kHz where the rate is 16 kHz).
                       With any, the band's phases go on from the frames before, and are not the
                       network's. 0 none; -1 = the model's default, or none where refine is 0 */
    int reserved;   /* 0 */
} lull_options;

/* Sets the defaults; `size` is sizeof(lull_options) where the caller was built. What this library
 * does not know becomes 0. For bindings of other languages; in C and C++ lull_options_init says the
 * size. */
LULL_API void lull_options_init_sized(lull_options *options, size_t size);

/* Sets the defaults of *options. Called as a function (by programs that were built before 0.2,
 * which did not say their size), it sets the fields up to queue_frames, and only those are read
 * later. */
LULL_API void lull_options_init(lull_options *options);
#define lull_options_init(options) lull_options_init_sized((options), sizeof(lull_options))

/* What a vocoder of this model and these options (NULL: defaults) will take, before there is one.
 * Bytes: its own; the weights, packed for the processor, come to about the size of the model file
 * in addition, once for all vocoders of a model. Latency: in samples, as lull_vocoder_latency.
 * Errors: those of the options (LULL_INVALID, LULL_UNSUPPORTED), LULL_NO_MEMORY. */
LULL_API lull_status lull_vocoder_memory(const lull_model *model, const lull_options *options,
                                         uint64_t *bytes, lull_error *error);
LULL_API lull_status lull_latency(const lull_model *model, const lull_options *options,
                                  size_t *samples, lull_error *error);

/* A whole utterance in one call: n mel frames (n × bands floats) become n × hop samples, which the
 * caller has room for. The same samples as a stream gives; options.use LULL_OFFLINE is made for it.
 * Errors: those of lull_vocoder_new, push and pull. */
LULL_API lull_status lull_synthesize(const lull_model *model, const lull_options *options,
                                     const float *frames, size_t n, float *samples,
                                     lull_error *error);

/* A stream of mel frames becoming a stream of samples. One thread may push, finish and wait for
 * room while another pulls and waits for samples, and any thread may ask whether it has ended;
 * everything else wants the vocoder for itself. */
typedef struct lull_vocoder lull_vocoder;

/* Creates a vocoder. `options` may be NULL (defaults). `model` may be NULL where options.convention
 * says what the frames are: then there is no network, noise coloured by the mels is made consistent
 * with them; the same goes for the three functions above. The model and the pool must outlive the
 * vocoder. All memory is allocated here; push and pull allocate nothing. Errors: LULL_INVALID and
 * LULL_UNSUPPORTED (options), LULL_FORMAT and LULL_MISMATCH (options.convention), LULL_NO_MEMORY
 * (also above options.memory_limit). */
LULL_API lull_status lull_vocoder_new(const lull_model *model, const lull_options *options,
                                      lull_vocoder **vocoder, lull_error *error);

/* Offers n mel frames: n × bands floats, frame after frame, in the model's convention. Takes as
 * many as the queue has room for and says so in *accepted (0 is not an error: pull, then offer the
 * rest). Costs a copy and a look at the first frames; the work is done in pull. Errors, with which
 * nothing is taken: LULL_NOT_FINITE, LULL_FINISHED (after finish, until reset), LULL_MISMATCH (not
 * frames of the model's convention: another logarithm, another scale, … the message says what they
 * look like; options.unchecked switches this off), LULL_INVALID (a NULL). */
LULL_API lull_status lull_vocoder_push(lull_vocoder *vocoder, const float *frames, size_t n,
                                       size_t *accepted, lull_error *error);

/* The same with the pitch at the middle of every frame: n numbers, Hz, 0 where there is no voice,
 * NaN where the pitch is not known (as lull_vocoder_push has it). Only the pitch source makes use
 * of it. Errors besides: LULL_INVALID for pitches that are below 0 or above 5000 Hz (nothing is
 * taken). */
LULL_API lull_status lull_vocoder_push_pitch(lull_vocoder *vocoder, const float *frames,
                                             const float *pitches, size_t n, size_t *accepted,
                                             lull_error *error);

/* Synthesizes and takes up to n samples, nominally in [-1, 1]. *produced < n means that more frames
 * (or finish) are needed, or that the work reached options.pull_work. The samples do not depend on
 * how frames were cut into pushes or samples into pulls, nor on the thread count.
 *
 * Time: without a bound, whatever is due is made, after a full queue all that the latency spans.
 * With options.pull_work = w never more than w samples' work in any part of the path, rounded up to
 * what that cannot divide (a patch in the network, a frame elsewhere); what is left of it goes into
 * the next frame. With w of a frame or more nothing comes later in live use than without a bound;
 * with less, up to a frame later. docs/embedding.md has figures, `lull bench pulls` measures them.
 * Blocks are as short as n: for files pull 4096 or more at a time. Takes no lock that another thread
 * holds; with a pool or threads > 1 it waits for them.
 *
 * Errors: LULL_NOT_FINITE, once: the model made values that are not finite of these frames;
 * *produced samples are good, and the rest of the utterance, which later pulls give, is silence.
 * LULL_INVALID (a NULL). */
LULL_API lull_status lull_vocoder_pull(lull_vocoder *vocoder, float *samples, size_t n,
                                       size_t *produced, lull_error *error);

/* Says that no frame follows. What is still inside comes out of pull. A second call changes nothing.
 * Errors: LULL_INVALID (a NULL). */
LULL_API lull_status lull_vocoder_finish(lull_vocoder *vocoder);

typedef enum lull_ready {
    LULL_READY_PUSH = 1, /* there is room for a frame */
    LULL_READY_PULL = 2, /* pull has something to do: a sample is due, or frames came */
    LULL_READY_END = 4   /* lull_vocoder_ended */
} lull_ready;

/* Sleeps until one of the things in `what` (LULL_READY_PUSH | LULL_READY_PULL) is so, the utterance
 * has ended, or `seconds` have passed (< 0: however long that takes; 0: looks and does not sleep).
 * Returns all of what | LULL_READY_END that is so, 0 when the time was up. Wakes at once for a push
 * and for finish, within 10 ms for a pull, which never waits for a sleeper. */
LULL_API int lull_vocoder_wait(lull_vocoder *vocoder, int what, double seconds);

/* True when finish was called and every sample (accepted frames × hop) has been pulled. Any thread
 * may ask, also while others push and pull. */
LULL_API bool lull_vocoder_ended(const lull_vocoder *vocoder);

/* Back to the beginning of a new utterance with the given seed; keeps all memory. */
LULL_API void lull_vocoder_reset(lull_vocoder *vocoder, uint64_t seed);

/* NULL is allowed. */
LULL_API void lull_vocoder_free(lull_vocoder *vocoder);

/* Algorithmic latency in samples: with n frames pushed, pulls can give exactly
 * max(0, n × hop - latency) samples before finish (n × hop after it). */
LULL_API size_t lull_vocoder_latency(const lull_vocoder *vocoder);

/* Number of samples whose level the output limiter reduced so far. For the pulling thread. */
LULL_API uint64_t lull_vocoder_limited(const lull_vocoder *vocoder);

/* ---- mel front end ------------------------------------------------------------------------ */

/* Audio to mel frames in a model's convention, as a stream: samples pushed in any pieces give the
 * same frames. */
typedef struct lull_mel lull_mel;

/* On success *mel is the caller's, to be given to lull_mel_free; nothing of the model is borrowed.
 * Errors: LULL_INVALID (a NULL), LULL_NO_MEMORY. */
LULL_API lull_status lull_mel_new(const lull_model *model, lull_mel **mel, lull_error *error);

/* The same in a convention of its own (above). Errors: those of lull_convention_find,
 * LULL_NO_MEMORY. */
LULL_API lull_status lull_mel_new_of(const char *convention, lull_mel **mel, lull_error *error);

/* Adds n samples (mono, at the convention's sample rate, [-1, 1]). Errors: LULL_NOT_FINITE,
 * LULL_FINISHED (after finish, until reset), LULL_INVALID (a NULL), LULL_NO_MEMORY; with the first
 * three nothing is taken. */
LULL_API lull_status lull_mel_push(lull_mel *mel, const float *samples, size_t n,
                                   lull_error *error);

/* Takes up to n frames (n × bands floats); *produced < n means that more samples or finish are
 * needed. Errors: LULL_INVALID (a NULL). */
LULL_API lull_status lull_mel_pull(lull_mel *mel, float *frames, size_t n, size_t *produced,
                                   lull_error *error);

/* Says that no sample follows: the frames that the end was missing for can be pulled. A second call
 * changes nothing. Errors: LULL_INVALID (a NULL), LULL_NO_MEMORY. */
LULL_API lull_status lull_mel_finish(lull_mel *mel, lull_error *error);

/* Back to the beginning of a recording; keeps all memory. */
LULL_API void lull_mel_reset(lull_mel *mel);

/* NULL is allowed. */
LULL_API void lull_mel_free(lull_mel *mel);

/* ---- ring --------------------------------------------------------------------------------- */

/* Samples from one thread to another, without locks: what stands between a thread that pulls and a
 * sound card's callback, which may not wait. One thread writes, one reads; neither ever waits or
 * allocates, and whoever cannot go on is told how much it got. */
typedef struct lull_ring lull_ring;

/* Room for at least `capacity` samples (rounded up to a power of two). Errors: LULL_NO_MEMORY. */
LULL_API lull_status lull_ring_new(size_t capacity, lull_ring **ring, lull_error *error);
/* NULL is allowed. */
LULL_API void lull_ring_free(lull_ring *ring);

/* Samples that fit in when it is empty. */
LULL_API size_t lull_ring_capacity(const lull_ring *ring);

/* The writing thread's: takes up to n samples in and says how many; how many there is room for. */
LULL_API size_t lull_ring_write(lull_ring *ring, const float *samples, size_t n);
LULL_API size_t lull_ring_writable(const lull_ring *ring);

/* The reading thread's: takes up to n samples out; copies up to n from the `offset`-th on, which
 * stay; both say how many. And how many are there. */
LULL_API size_t lull_ring_read(lull_ring *ring, float *samples, size_t n);
LULL_API size_t lull_ring_peek(const lull_ring *ring, size_t offset, float *samples, size_t n);
LULL_API size_t lull_ring_readable(const lull_ring *ring);

#ifdef __cplusplus
}
#endif

#endif
