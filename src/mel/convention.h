/* The mel conventions that lull knows by name (docs/formats.md): every number that turns samples
 * into the frames that another program's acoustic model writes. */
#ifndef MEL_CONVENTION_H
#define MEL_CONVENTION_H

#include "io/member.h"

enum { MEL_MAX_BANDS = 512, MEL_MAX_FFT = 16384, MEL_LEAST_RATE = 1000, MEL_MOST_RATE = 384000 };

typedef enum { MEL_SCALE_SLANEY, MEL_SCALE_HTK } mel_scale;
typedef enum { MEL_COMPRESS_LN, MEL_COMPRESS_LOG10, MEL_COMPRESS_DIFFWAVE } mel_compression;

typedef struct mel_convention {
    char name[32];
    int sample_rate, n_fft, window, hop, bands;
    double fmin, fmax;
    mel_scale scale; /* slaney: area-normalised filters; HTK: unit peaks */
    mel_compression compression;
    double floor;             /* clamp before the logarithm */
    double magnitude_epsilon; /* added to the squared magnitude before the root: 1e-9 for hifigan */
    bool centred;           /* frame f is centred at f·hop with reflection of n_fft/2; otherwise at
                               (f+½)·hop with reflection of (n_fft-hop)/2 */
    bool normalized_window; /* torchaudio's normalized=True: magnitude divided by √Σwindow² */
    bool statistics;        /* subtract mean, divide by deviation, band by band (parallelwavegan) */
    float mean[MEL_MAX_BANDS], deviation[MEL_MAX_BANDS];
} mel_convention;

/* Its members (JSON, ranges, words), and the names of scales and compressions. */
extern const member mel_convention_members[];
extern const char *const mel_scale_names[];
extern const char *const mel_compression_names[];

/* Fills in a convention by name: hifigan, tacotron2, diffwave, parallelwavegan; sample_rate 0 = its
 * own usual rate (22050, 22050, 22050, 24000); at 16000 hifigan keeps 1024/256 and fmax 8000. */
lull_status mel_convention_named(const char *name, int sample_rate, mel_convention *convention,
                                 lull_error *error);

/* Sizes positive and consistent, or the reason why not. */
lull_status mel_convention_check(const mel_convention *convention, lull_error *error);

/* Sample index of the centre of frame 0: 0 when centred, hop/2 otherwise. */
int mel_convention_first_centre(const mel_convention *convention);

/* Could these frames (n × bands) be of this convention? Fails with LULL_MISMATCH and one line that
 * names the option that converts ([0,1] range for a log-mel model, log10 for ln, …); NaN and
 * infinities with LULL_NOT_FINITE. `name` stands in the message. */
lull_status mel_convention_check_frames(const mel_convention *convention, const float *frames,
                                        size_t n, const char *name, lull_error *error);

#endif
